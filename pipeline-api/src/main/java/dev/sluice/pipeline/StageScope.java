package dev.sluice.pipeline;

import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;

/**
 * What the stages of a disk have for the requests of one queue, or on one loop for themselves: the pools of their sub-requests and buffers, and the requests
 * that they hold.
 *
 * <p><b>Threading:</b> the loop. <b>Allocation:</b> a pool when its stage makes its first sub-request.
 */
final class StageScope {
    /** The queue index of the background's sub-requests. */
    static final int BACKGROUND = -1;

    private final IoLoop loop;
    private final int queueIndex;
    private final SharedSink sink;
    private final DiskStages disk;
    private final StageBuffers[] buffers;
    private final RateLimitedLog failures;
    private final StageHolds holds;
    private final @Nullable SubRequestPool[] pools;
    private final int poolSize;
    private final Object name;

    /**
     * Makes a scope.
     *
     * @param buffers by stage
     * @param poolSize sub-requests of each stage that can be in flight together
     * @param name whose toString begins lines in the log
     */
    StageScope(IoLoop loop, int queueIndex, SharedSink sink, DiskStages disk, StageBuffers[] buffers, int poolSize, Logger log, Object name) {
        this.loop = loop;
        this.queueIndex = queueIndex;
        this.sink = sink;
        this.disk = disk;
        this.buffers = buffers;
        this.failures = new RateLimitedLog(log);
        this.holds = new StageHolds(loop);
        this.pools = new SubRequestPool[buffers.length];
        this.poolSize = poolSize;
        this.name = name;
    }

    IoLoop loop() {
        return loop;
    }

    int queueIndex() {
        return queueIndex;
    }

    SharedSink sink() {
        return sink;
    }

    DiskStages disk() {
        return disk;
    }

    StageChain stages() {
        return disk.chain();
    }

    RateLimitedLog failures() {
        return failures;
    }

    /** The requests that stages have. */
    StageHolds holds() {
        return holds;
    }

    SubRequestPool pool(int stage) {
        SubRequestPool pool = pools[stage];
        if (pool == null) {
            pool = new SubRequestPool(this, stage, poolSize);
            pools[stage] = pool;
        }
        return pool;
    }

    StageBuffers buffers(int stage) {
        return buffers[stage];
    }

    /** Fails what stages have, with ECANCELED; what is in the sink when it comes back. */
    void expire() {
        // Requests first: their stages must not send more down when their sub-requests fail.
        holds.forEach(call -> {
            if (!call.isSubRequest()) {
                holds.expire(call);
            }
        });
        holds.forEach(holds::expire);
        for (SubRequestPool pool : pools) {
            if (pool != null) {
                pool.refuseEnded();
            }
        }
        for (StageBuffers pool : buffers) {
            pool.refuseEnded();
        }
    }

    /** Nothing refers to a request of a stage any more: its buffers come back. */
    void reclaim(StageCall lost) {
        for (StageBuffers pool : buffers) {
            pool.reclaim(lost);
        }
    }

    /** Nothing is in flight any more, or will be. */
    void close() {
        for (SubRequestPool pool : pools) {
            if (pool != null) {
                pool.close();
            }
        }
    }

    @Override
    public String toString() {
        return name.toString();
    }
}
