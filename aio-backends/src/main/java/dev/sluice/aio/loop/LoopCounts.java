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

    LoopCounts(long threadId) {
        this.threadId = threadId;
    }

    void tickEnded() {
        ticks++;
        // Pairs with the acquire fence of snapshot.
        VarHandle.releaseFence();
    }

    LoopCounters snapshot() {
        // Pairs with the release fence of tickEnded.
        VarHandle.acquireFence();
        return new LoopCounters(ticks, enters, submissions, completions, tasks, threadId);
    }
}
