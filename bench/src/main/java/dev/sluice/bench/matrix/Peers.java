package dev.sluice.bench.matrix;

import java.util.ArrayList;
import java.util.List;
import java.util.OptionalInt;

/** Sluice next to qemu-storage-daemon, alternating on the same image: each has closed it before the other one opens it. */
final class Peers {
    private static final int QUEUES = 4;

    /** QEMU's default for how long iothreads poll at most. */
    private static final int QEMU_POLL_NANOS = 32768;

    private static final String NOTE = "4 KiB random reads, one loop or iothread, the same load on each, alternating."
            + " Compare like with like: `poll` rows spin for up to 32,768 ns before they sleep (qemu-storage-daemon's default), `sleep` rows do not (Sluice's"
            + " default).";

    private Peers() {}

    static List<Experiment> experiments() {
        List<Experiment> experiments = new ArrayList<>();
        DriverLoad one = DriverLoad.onQueues(1).withOpened(QUEUES);
        DriverLoad all = DriverLoad.onQueues(QUEUES);
        experiments.add(onNothing("1 queue, depth 64, driver sleeping", one));
        experiments.add(onNothing("4 queues, depth 64, driver sleeping", all));
        experiments.add(onNothing("1 queue, depth 64, driver polling", one.polling()));
        experiments.add(onNothing("4 queues, depth 64, driver polling", all.polling()));
        for (Medium medium : List.of(Medium.RAM, Medium.DISK)) {
            experiments.add(onImage(medium, "1 queue, depth 64, driver sleeping", Metric.CPU_MICROS, one));
            experiments.add(onImage(medium, "4 queues, depth 64, driver sleeping", Metric.CPU_MICROS, all));
            experiments.add(onImage(medium, "1 queue, depth 1, driver sleeping", Metric.P50, one.withDepth(1)));
        }
        return experiments;
    }

    private static Experiment onNothing(String load, DriverLoad workload) {
        return new Experiment(
                "Peers: null sink, " + load, NOTE, Metric.CPU_MICROS, false,
                List.of(
                        new Row("sluice, sleep", sluice(Medium.NULL), workload),
                        new Row("qemu-storage-daemon null-co, sleep", storageDaemon(Medium.NULL, "", OptionalInt.of(0)), workload),
                        new Row("sluice, poll", polling(sluice(Medium.NULL)), workload),
                        new Row("qemu-storage-daemon null-co, poll", StorageDaemonSpec.nullCo(QUEUES), workload)));
    }

    private static Experiment onImage(Medium medium, String load, Metric headline, DriverLoad workload) {
        List<Row> rows = new ArrayList<>();
        rows.add(new Row("sluice, sleep", sluice(medium), workload));
        rows.add(new Row("qemu-storage-daemon native, sleep", storageDaemon(medium, "native", OptionalInt.of(0)), workload));
        rows.add(new Row("qemu-storage-daemon io_uring, sleep", storageDaemon(medium, "io_uring", OptionalInt.of(0)), workload));
        rows.add(new Row("sluice, poll", polling(sluice(medium)), workload));
        rows.add(new Row("qemu-storage-daemon native, poll", storageDaemon(medium, "native", OptionalInt.empty()), workload));
        rows.add(new Row("qemu-storage-daemon io_uring, poll", storageDaemon(medium, "io_uring", OptionalInt.empty()), workload));
        return new Experiment("Peers: " + medium.text() + ", " + load, NOTE, headline, false, rows);
    }

    private static SluiceSpec sluice(Medium medium) {
        return SluiceSpec.on(medium, "--num-queues", Integer.toString(QUEUES));
    }

    private static SluiceSpec polling(SluiceSpec sluice) {
        return sluice.with("--poll-max-ns", Integer.toString(QEMU_POLL_NANOS));
    }

    private static StorageDaemonSpec storageDaemon(Medium medium, String aio, OptionalInt pollMaxNanos) {
        return new StorageDaemonSpec(medium, aio, QUEUES, pollMaxNanos);
    }
}
