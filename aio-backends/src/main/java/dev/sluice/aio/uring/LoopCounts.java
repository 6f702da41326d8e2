package dev.sluice.aio.uring;

import dev.sluice.pipeline.LoopCounters;
import java.lang.invoke.VarHandle;

/**
 * What a loop counts of itself.
 *
 * <p>Enters are derived, as Netty doesn't tell: one a tick that waits or submits, one for each time that the submission queue was full,
 * one for re-arming its wake-up read after a task came, one for each system call that reads or writes by itself. What it misses are the
 * enters by which Netty fetches completions that the kernel holds ready: it hands out some 20 at a time, so that strace shows four
 * enters where 64 requests of a disk end in one tick.
 *
 * <p><b>Threading:</b> written by the loop's thread, plainly; {@link #snapshot} from any. The fences make a tick's counts visible
 * together, and promise no more than that they are some moment's.
 */
final class LoopCounts {
    private final long threadId;
    private final int submissionEntries;

    long tasks;
    private long ticks;
    private long enters;
    private long submissions;
    private long completions;

    private long busyNanos;
    private long busySinceNanos;

    private long completionsBefore;
    private int unsubmitted;

    LoopCounts(long threadId, int submissionEntries) {
        this.threadId = threadId;
        this.submissionEntries = submissionEntries;
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

    void submissionAdded() {
        submissions++;
        if (unsubmitted == submissionEntries) {
            enters++;
            unsubmitted = 0;
        }
        unsubmitted++;
    }

    void calledDirectly() {
        submissions++;
        completions++;
        enters++;
    }

    void completionSeen() {
        completions++;
    }

    void entering() {
        completionsBefore = completions;
        if (unsubmitted > 0) {
            enters++;
        }
    }

    /** After Netty's run, which handled so many completions, its own included. */
    void entered(int handled, boolean waited) {
        if (waited && unsubmitted == 0) {
            enters++;
        }
        unsubmitted = 0;
        if (handled > completions - completionsBefore) {
            // Its wake-up read ended and was queued again, inside the run; that is submitted before the run returns.
            enters++;
        }
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
