package dev.sluice.bench.matrix;

import dev.sluice.bench.load.LoadPlan;

/**
 * Random reads from the Java driver in this process.
 *
 * @param opened queues that the driver starts, as a guest starts all that the disk offers
 * @param queues how many of them are used
 * @param depth requests in flight on each
 * @param jobs driver threads
 * @param poll whether the driver spins instead of sleeping
 */
record DriverLoad(int opened, int queues, int depth, int jobs, int blockBytes, boolean poll) implements Workload {
    private static final int USUAL_BLOCK_BYTES = 4096;
    private static final int USUAL_DEPTH = 64;
    private static final int SEED = 1;

    /** 4 KiB at depth 64 on each of several queues, one thread, sleeping. */
    static DriverLoad onQueues(int queues) {
        return new DriverLoad(queues, queues, USUAL_DEPTH, 1, USUAL_BLOCK_BYTES, false);
    }

    DriverLoad withDepth(int other) {
        return new DriverLoad(opened, queues, other, jobs, blockBytes, poll);
    }

    DriverLoad withJobs(int other) {
        return new DriverLoad(opened, queues, depth, other, blockBytes, poll);
    }

    DriverLoad withBlockBytes(int other) {
        return new DriverLoad(opened, queues, depth, jobs, other, poll);
    }

    DriverLoad withOpened(int other) {
        return new DriverLoad(other, queues, depth, jobs, blockBytes, poll);
    }

    DriverLoad polling() {
        return new DriverLoad(opened, queues, depth, jobs, blockBytes, true);
    }

    LoadPlan plan(double warmUpSeconds, double seconds) {
        return new LoadPlan(queues, depth, jobs, blockBytes, 100, false, warmUpSeconds, seconds, false, poll, SEED);
    }

    @Override
    public String display() {
        return "./sluice bench SOCKET --queues " + queues + " --depth " + depth + " --jobs " + jobs + " --bs " + blockBytes + (poll ? " --poll" : "");
    }
}
