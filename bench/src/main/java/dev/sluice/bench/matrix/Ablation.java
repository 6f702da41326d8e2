package dev.sluice.bench.matrix;

import java.util.ArrayList;
import java.util.List;

/**
 * The shape of the original table: everything off, then one part on after another. 4 KiB random reads, 64 in flight per job, like fio's
 * {@code iodepth=64} and {@code numjobs}. Linux gives each CPU a queue: with four queues every job has its own, with one queue all jobs share it.
 */
final class Ablation {
    private static final int JOB_DEPTH = 64;
    private static final int QUEUES = 4;
    private static final int BLOCK_BYTES = 4096;

    private static final String NOTE = "4 KiB random reads, O_DIRECT if there is an image, one loop, driver sleeping. A job keeps 64 requests in flight on"
            + " the queue of its CPU, as"
            + " Linux spreads them: with one queue, four jobs have 256 in flight on it. In rows without the bypass the stage is `noop`, which sees every"
            + " request, in the others `uninterested`, which sees none. A system property leaves pool and batching out of the server of a row.";

    private Ablation() {}

    static List<Experiment> experiments() {
        List<Experiment> experiments = new ArrayList<>();
        for (Medium medium : Medium.values()) {
            for (int jobs : new int[] {1, 4}) {
                experiments.add(new Experiment(
                        "Ablation: " + medium.text() + ", " + jobs + (jobs == 1 ? " job" : " jobs"), NOTE, Metric.PER_CPU_SECOND, true, rows(medium, jobs)));
            }
        }
        experiments.add(stages());
        experiments.add(counting());
        return experiments;
    }

    private static List<Row> rows(Medium medium, int jobs) {
        // Driven by one thread: a queue belongs to one thread.
        DriverLoad shared = new DriverLoad(1, 1, JOB_DEPTH * jobs, 1, BLOCK_BYTES, false);
        DriverLoad each = new DriverLoad(QUEUES, jobs, JOB_DEPTH, jobs, BLOCK_BYTES, false);
        SluiceSpec staged = SluiceSpec.on(medium, "--stage", "noop", "--num-queues", "1");
        SluiceSpec oneQueue = SluiceSpec.on(medium, "--stage", "uninterested", "--num-queues", "1");
        SluiceSpec fourQueues = SluiceSpec.on(medium, "--stage", "uninterested", "--num-queues", Integer.toString(QUEUES));
        return List.of(
                new Row("baseline", staged.without(SluiceSpec.POOL, SluiceSpec.BATCH), shared),
                new Row("+ pool", staged.without(SluiceSpec.BATCH), shared),
                new Row("+ batching", staged, shared),
                new Row("+ bypass", oneQueue, shared),
                new Row("+ 4 queues", fourQueues, each));
    }

    private static Experiment stages() {
        DriverLoad load = DriverLoad.onQueues(1);
        return new Experiment(
                "What a stage costs: null sink",
                "1 queue, depth 64. A Flux operator sees every request of a queue in the loop's thread; `noop` is a stage that gets a Mono per request and"
                        + " does nothing;"
                        + " `hop` is one that changes to another thread, and whose completion changes back.",
                Metric.CPU_MICROS,
                true,
                List.of(
                        new Row("no stage: bypass", SluiceSpec.on(Medium.NULL), load),
                        new Row("a Flux operator", SluiceSpec.on(Medium.NULL, "--operators", "1"), load),
                        new Row("a Mono per request (`noop`)", SluiceSpec.on(Medium.NULL, "--stage", "noop"), load),
                        new Row("a thread hop (`hop`)", SluiceSpec.on(Medium.NULL, "--stage", "hop"), load)));
    }

    private static Experiment counting() {
        DriverLoad load = DriverLoad.onQueues(1).polling();
        return new Experiment(
                "What counting costs: null sink",
                "1 queue, depth 64, driver polling. Every other table has it on, for `--stats`; it costs the same for `--metrics`, and is off by default.",
                Metric.CPU_MICROS,
                true,
                List.of(
                        new Row("nothing counted", SluiceSpec.on(Medium.NULL).uncounted(), load),
                        new Row("requests counted", SluiceSpec.on(Medium.NULL), load)));
    }
}
