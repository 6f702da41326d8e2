package dev.sluice.bench.matrix;

import dev.sluice.bench.ring.RingLoadPlan;
import java.util.ArrayList;
import java.util.List;

/** The named list of what is measured by default, at most {@value #MOST_ROWS} rows: the rings alone, then files in memory, then on the disk. */
final class PlacedRows {
    static final int MOST_ROWS = 60;

    private static final int USUAL_DEPTH = 64;
    private static final int LARGE_DEPTH = 16;
    private static final int QUEUES = 4;
    private static final int SECTOR = 512;
    private static final int LARGE = 128 << 10;
    private static final int LARGEST = 1 << 20;
    private static final List<Integer> DISKS = List.of(16, 100);

    private PlacedRows() {}

    static List<Experiment> experiments() {
        List<Experiment> tables = new ArrayList<>();
        rings(tables);
        memory(tables);
        disk(tables);
        return tables;
    }

    /** The null sink touches no data: neither size nor kind of a request matters. */
    private static void rings(List<Experiment> tables) {
        RingLoadPlan usual = PlacedTable.reads(Medium.NULL, USUAL_DEPTH);
        RingLoadPlan manyQueues = new RingLoadPlan(1, QUEUES, USUAL_DEPTH, usual.blockBytes(), false, false);
        RingLoadPlan alone = PlacedTable.reads(Medium.NULL, 1);
        for (RingLoadPlan plan : List.of(usual, manyQueues)) {
            tables.add(peers(new PlacedTable(Medium.NULL, plan).floor(true), true).spdk().experiment("Ring, polling: "));
            tables.add(peers(new PlacedTable(Medium.NULL, plan).floor(false), false).experiment("Ring, sleeping: "));
        }
        RingLoadPlan shallow = PlacedTable.reads(Medium.NULL, LARGE_DEPTH);
        tables.add(peers(new PlacedTable(Medium.NULL, shallow).floor(true), true).spdk().experiment("Ring, polling: "));
        tables.add(peers(new PlacedTable(Medium.NULL, alone).floor(true), true).spdk().experiment("Ring, polling: "));
        tables.add(peers(new PlacedTable(Medium.NULL, alone).floor(false), false).experiment("Ring, sleeping: "));
    }

    private static void memory(List<Experiment> tables) {
        RingLoadPlan usual = PlacedTable.reads(Medium.RAM, USUAL_DEPTH);
        tables.add(new PlacedTable(Medium.RAM, usual).sluice(true).sluice(false).storageDaemon(true).spdk().fio().experiment(""));
        tables.add(peers(new PlacedTable(Medium.RAM, new RingLoadPlan(1, 1, USUAL_DEPTH, SECTOR, false, true)), true).experiment(""));
        tables.add(peers(new PlacedTable(Medium.RAM, new RingLoadPlan(1, 1, USUAL_DEPTH, usual.blockBytes(), true, true)), true).experiment(""));
        for (int bytes : List.of(LARGE, LARGEST)) {
            tables.add(peers(new PlacedTable(Medium.RAM, new RingLoadPlan(1, 1, LARGE_DEPTH, bytes, false, true)), true).fio().experiment(""));
        }
        for (int disks : DISKS) {
            tables.add(peers(new PlacedTable(Medium.RAM, new RingLoadPlan(disks, 1, LARGE_DEPTH, usual.blockBytes(), false, true)), false).experiment(""));
        }
    }

    private static void disk(List<Experiment> tables) {
        RingLoadPlan usual = PlacedTable.reads(Medium.DISK, USUAL_DEPTH);
        tables.add(peers(new PlacedTable(Medium.DISK, usual), false).spdk().fio().experiment(""));
        tables.add(peers(new PlacedTable(Medium.DISK, new RingLoadPlan(1, QUEUES, USUAL_DEPTH, usual.blockBytes(), false, true)), false).experiment(""));
        tables.add(peers(new PlacedTable(Medium.DISK, PlacedTable.reads(Medium.DISK, 1)), true).fio().experiment(""));
        tables.add(peers(new PlacedTable(Medium.DISK, new RingLoadPlan(1, 1, USUAL_DEPTH, usual.blockBytes(), true, true)), false).fio().experiment(""));
        tables.add(peers(new PlacedTable(Medium.DISK, new RingLoadPlan(1, 1, LARGE_DEPTH, LARGE, false, true)), false).fio().experiment(""));
    }

    private static PlacedTable peers(PlacedTable table, boolean poll) {
        return table.sluice(poll).storageDaemon(poll);
    }
}
