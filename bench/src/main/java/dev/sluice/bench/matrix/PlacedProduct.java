package dev.sluice.bench.matrix;

import dev.sluice.bench.ring.RingLoadPlan;
import java.util.ArrayList;
import java.util.List;

/** The product of all properties of a load: hours. The null sink touches no data, so that neither size nor kind of its requests is varied. */
final class PlacedProduct {
    private static final List<Integer> SIZES = List.of(512, 4 << 10, 128 << 10, 1 << 20);
    private static final List<Integer> QUEUES = List.of(1, 4);
    private static final List<Integer> DEPTHS = List.of(1, 16, 64);
    private static final List<Integer> DISKS = List.of(16, 100);
    private static final int DISKS_DEPTH = 16;

    /** A hundred disks with larger requests than that would need gigabytes of guest memory. */
    private static final int DISKS_BYTES = 128 << 10;

    private PlacedProduct() {}

    static List<Experiment> experiments() {
        List<Experiment> tables = new ArrayList<>();
        for (int queues : QUEUES) {
            for (int depth : DEPTHS) {
                RingLoadPlan plan = new RingLoadPlan(1, queues, depth, 4 << 10, false, false);
                for (boolean poll : new boolean[] {true, false}) {
                    PlacedTable table = new PlacedTable(Medium.NULL, plan).floor(poll).sluice(poll).storageDaemon(poll);
                    tables.add((poll ? table.spdk() : table).experiment("All, ring, " + (poll ? "polling: " : "sleeping: ")));
                }
            }
        }
        for (Medium medium : List.of(Medium.RAM, Medium.DISK)) {
            for (int bytes : SIZES) {
                for (boolean writes : new boolean[] {false, true}) {
                    onImage(tables, medium, bytes, writes);
                }
            }
        }
        for (int disks : DISKS) {
            for (int bytes : SIZES.stream().filter(size -> size <= DISKS_BYTES).toList()) {
                for (boolean writes : new boolean[] {false, true}) {
                    RingLoadPlan plan = new RingLoadPlan(disks, 1, DISKS_DEPTH, bytes, writes, true);
                    tables.add(everyWait(new PlacedTable(Medium.RAM, plan)).experiment("All: "));
                }
            }
        }
        return tables;
    }

    private static void onImage(List<Experiment> tables, Medium medium, int bytes, boolean writes) {
        for (int queues : QUEUES) {
            for (int depth : DEPTHS) {
                PlacedTable table = everyWait(new PlacedTable(medium, new RingLoadPlan(1, queues, depth, bytes, writes, true))).spdk();
                tables.add((queues == 1 ? table.fio() : table).experiment("All: "));
            }
        }
    }

    private static PlacedTable everyWait(PlacedTable table) {
        return table.sluice(true).sluice(false).storageDaemon(true).storageDaemon(false);
    }
}
