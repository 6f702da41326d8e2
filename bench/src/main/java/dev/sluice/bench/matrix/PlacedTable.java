package dev.sluice.bench.matrix;

import dev.sluice.bench.ring.RingLoadPlan;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalInt;

/** One load of the sections that pin and calibrate, and the backends that it is put on. */
final class PlacedTable {
    /** Practically always: longer than any pause between two requests of a load. */
    private static final int POLL_NANOS = 1_000_000;

    private static final String NATIVE = "native";
    private static final int KIB = 1 << 10;
    private static final int MIB = 1 << 20;

    private final Medium medium;
    private final RingLoadPlan plan;
    private final List<Row> rows = new ArrayList<>();

    PlacedTable(Medium medium, RingLoadPlan plan) {
        this.medium = medium;
        this.plan = plan;
    }

    /** Reads of 4 KiB on one queue of one disk: the load that the others change. */
    static RingLoadPlan reads(Medium medium, int depth) {
        return new RingLoadPlan(1, 1, depth, 4 * KIB, false, medium.hasImage());
    }

    PlacedTable floor(boolean poll) {
        return add("floor", poll, new FloorSpec(plan.queues(), poll));
    }

    PlacedTable sluice(boolean poll) {
        List<String> options = new ArrayList<>();
        if (plan.disks() == 1) {
            options.addAll(List.of("--num-queues", Integer.toString(plan.queues())));
        }
        if (poll) {
            options.addAll(List.of("--poll-max-ns", Integer.toString(POLL_NANOS)));
        }
        // Counting has a table of its own.
        return add("sluice", poll, SluiceSpec.on(medium, options.toArray(String[]::new)).uncounted().withDisks(plan.disks()));
    }

    PlacedTable storageDaemon(boolean poll) {
        return add(
                "qemu-storage-daemon", poll,
                new StorageDaemonSpec(medium, medium.hasImage() ? NATIVE : "", plan.queues(), plan.disks(), OptionalInt.of(poll ? POLL_NANOS : 0)));
    }

    PlacedTable spdk() {
        return add("SPDK", true, new SpdkSpec(medium));
    }

    PlacedTable fio() {
        rows.add(new Row("fio libaio, no ring", new FioSpec(medium, "libaio"), new RingWorkload(plan, false)));
        return this;
    }

    private PlacedTable add(String name, boolean poll, BackendSpec backend) {
        rows.add(new Row(name + (poll ? ", poll" : ", sleep"), backend, new RingWorkload(plan, poll && !medium.hasImage())));
        return this;
    }

    /** The table; its title has every property of the load. */
    Experiment experiment(String prefix) {
        String title = prefix + medium.text() + ", " + (plan.disks() == 1 ? "" : plan.disks() + " disks, ") + size(plan.blockBytes()) + " "
                + (plan.writes() ? "writes" : "reads") + ", " + plan.queues() + (plan.queues() == 1 ? " queue" : " queues") + ", depth " + plan.depth();
        return new Experiment(
                title, "Backend and load pinned to a CPU each, the load polling. Figures of one placement of the CPUs are compared, and only those.",
                Metric.CPU_MICROS, false, rows);
    }

    private static String size(int bytes) {
        return bytes < KIB ? bytes + " B" : bytes < MIB ? bytes / KIB + " KiB" : bytes / MIB + " MiB";
    }
}
