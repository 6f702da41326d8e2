package dev.sluice.bench.matrix;

import java.util.ArrayList;
import java.util.List;

/** The behavior of Sluice along one axis at a time. */
final class Scaling {
    private static final int MOST_QUEUES = 16;
    private static final List<Integer> QUEUES = List.of(1, 2, 4, 8, MOST_QUEUES);
    private static final List<Integer> LOOPS = List.of(1, 2);
    private static final List<Integer> DEPTHS = List.of(1, 4, 16, 64, 256);
    private static final List<Integer> BLOCK_BYTES = List.of(512, 4 << 10, 16 << 10, 64 << 10, 256 << 10, 1 << 20);

    /** Large requests at depth 64 would need too much guest memory. */
    private static final int BLOCK_DEPTH = 16;

    private Scaling() {}

    static List<Experiment> experiments() {
        return List.of(queues(), depths(), blockSizes(), switches());
    }

    private static SluiceSpec nullSink(int loops) {
        return SluiceSpec.on(Medium.NULL, "--num-queues", Integer.toString(MOST_QUEUES), "--loops", Integer.toString(loops));
    }

    private static Experiment queues() {
        List<Row> rows = new ArrayList<>();
        for (int loops : LOOPS) {
            for (int queues : QUEUES) {
                String name = queues + (queues == 1 ? " queue" : " queues") + ", " + loops + (loops == 1 ? " loop" : " loops");
                rows.add(new Row(name, nullSink(loops), DriverLoad.onQueues(queues)));
            }
        }
        return new Experiment(
                "Scaling: queues and loops, null sink",
                "4 KiB random reads, depth 64 on each queue, one driver thread, sleeping. Driver and backend share the machine's cores: compare the CPU per"
                        + " request.",
                Metric.CPU_MICROS, false, rows);
    }

    private static Experiment depths() {
        List<Row> rows = new ArrayList<>();
        for (int depth : DEPTHS) {
            rows.add(new Row("depth " + depth, nullSink(1), DriverLoad.onQueues(1).withDepth(depth)));
        }
        return new Experiment(
                "Scaling: depth, null sink", "4 KiB random reads, 1 queue, 1 loop, one driver thread, sleeping.", Metric.CPU_MICROS, false, rows);
    }

    private static Experiment blockSizes() {
        List<Row> rows = new ArrayList<>();
        for (int bytes : BLOCK_BYTES) {
            rows.add(new Row(size(bytes), SluiceSpec.on(Medium.RAM), DriverLoad.onQueues(1).withDepth(BLOCK_DEPTH).withBlockBytes(bytes)));
        }
        return new Experiment(
                "Scaling: block size, RAM-backed file", "Random reads, 1 queue, depth 16, 1 loop, one driver thread,"
                        + " sleeping.",
                Metric.CPU_MICROS, false, rows);
    }

    private static String size(int bytes) {
        return bytes < 1024 ? bytes + " B" : bytes < 1 << 20 ? (bytes >> 10) + " KiB" : (bytes >> 20) + " MiB";
    }

    private static Experiment switches() {
        SluiceSpec everything = SluiceSpec.on(Medium.NULL, "--stage", "uninterested");
        DriverLoad load = DriverLoad.onQueues(1);
        return new Experiment(
                "One part off at a time: null sink",
                "4 KiB random reads, 1 queue, depth 64, 1 loop, one driver thread, sleeping; a stage in the pipeline that sees no request, or every one if the"
                        + " bypass is off.",
                Metric.CPU_MICROS,
                true,
                List.of(
                        new Row("everything on", everything, load),
                        new Row("bypass off", SluiceSpec.on(Medium.NULL, "--stage", "noop"), load),
                        new Row("pool off", everything.without(SluiceSpec.POOL), load),
                        new Row("batching off", everything.without(SluiceSpec.BATCH), load)));
    }
}
