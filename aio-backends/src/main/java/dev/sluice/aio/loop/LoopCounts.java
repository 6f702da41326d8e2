package dev.sluice.aio.loop;

import dev.sluice.pipeline.LoopCounters;
import java.lang.invoke.VarHandle;

/**
 * What a loop counts of itself.
 *
 * <p><b>Threading:</b> written by the loop's thread, plainly; {@link #snapshot} from any. The fences make a tick's counts visible
 * together, and promise no more than that they are some moment's.
 */
final class LoopCounts {
    private final long threadId;

    long tasks;
    long enters;
    long submissions;
    long completions;
    private long ticks;
    private long busyNanos;
    private long busySinceNanos;

    LoopCounts(long threadId) {
        this.threadId = threadId;
    }

    /** The loop's thread has begun. */
    void begun(long nowNanos) {
        busySinceNanos = nowNanos;
    }

    /** The loop is back from the kernel. What passed between {@code leftNanos} and now was waiting; without a wait the two are the same. */
    void awake(long leftNanos, long nowNanos) {
        busyNanos += leftNanos - busySinceNanos;
        busySinceNanos = nowNanos;
    }

    void tickEnded() {
        ticks++;
        // Pairs with the acquire fence of snapshot.
        VarHandle.releaseFence();
    }

    LoopCounters snapshot() {
        // Pairs with the release fence of tickEnded.
        VarHandle.acquireFence();
        return new LoopCounters(ticks, enters, submissions, completions, tasks, busyNanos, threadId);
    }
}
