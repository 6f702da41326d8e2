package dev.sluice.bench.ring;

import dev.sluice.pipeline.Ranges;
import java.util.ArrayList;
import java.util.List;

/**
 * A load on all rings of some disks of one process. Immutable.
 *
 * @param disks how many sockets
 * @param queues of each disk
 * @param depth requests in flight in each queue
 * @param blockBytes of a request, a multiple of 512
 * @param writes writes instead of reads
 * @param random random sectors; otherwise each of the requests in flight has its own, always the same
 */
public record RingLoadPlan(int disks, int queues, int depth, int blockBytes, boolean writes, boolean random) {
    private static final int SECTOR = 512;
    private static final int MOST_DISKS = 128;
    private static final int MOST_QUEUES = 64;
    private static final int MOST_DEPTH = 1024;
    private static final int MOST_SECTORS = 1 << 17;

    public RingLoadPlan {
        Ranges.require("disks", disks, 1, MOST_DISKS);
        Ranges.require("queues", queues, 1, MOST_QUEUES);
        Ranges.require("depth", depth, 1, MOST_DEPTH);
        Ranges.require("sectors of a request", blockBytes / SECTOR, 1, MOST_SECTORS);
        if (blockBytes % SECTOR != 0) {
            throw new IllegalArgumentException("block size " + blockBytes + " is not a multiple of " + SECTOR);
        }
    }

    /** The options that define it, without its times, places and process. */
    public List<String> options() {
        List<String> options = new ArrayList<>(List.of(
                "--queues", Integer.toString(queues), "--depth", Integer.toString(depth), "--size", Integer.toString(blockBytes),
                "--type", writes ? "write" : "read"));
        if (random) {
            options.addAll(List.of("--pattern", "random"));
        }
        return options;
    }
}
