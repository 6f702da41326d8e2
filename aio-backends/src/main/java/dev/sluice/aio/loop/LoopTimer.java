package dev.sluice.aio.loop;

/**
 * A task that is due at some time, as {@link TickLoop#startTimer} returns it for {@link TickLoop#cancelTimer}.
 *
 * <p><b>Threading:</b> the loop's thread.
 */
public final class LoopTimer {
    final long dueNanos;
    final long sequence;
    final Runnable task;

    LoopTimer(long dueNanos, long sequence, Runnable task) {
        this.dueNanos = dueNanos;
        this.sequence = sequence;
        this.task = task;
    }

    /** Times of {@link System#nanoTime} compare by difference; timers due at the same time run in the order in which they were started. */
    static int compare(LoopTimer one, LoopTimer other) {
        long difference = one.dueNanos - other.dueNanos;
        return difference != 0 ? Long.signum(difference) : Long.compare(one.sequence, other.sequence);
    }
}
