package dev.sluice.pipeline;

import java.util.concurrent.atomic.AtomicLong;

/**
 * How many lines of one kind may be logged: some at once and one a second after that; the others are counted.
 *
 * <p><b>Threading:</b> any thread, without a lock. <b>Allocation:</b> none.
 */
final class LineRate {
    private static final long INTERVAL_NANOS = 1_000_000_000L;

    private final long burstNanos;
    /** When the next line would be due if one a second were logged. Ahead of the clock by a second for each line of the burst that was used. */
    private final AtomicLong dueNanos;

    private final AtomicLong suppressed = new AtomicLong();

    LineRate(int burst, long nowNanos) {
        this.burstNanos = (burst - 1) * INTERVAL_NANOS;
        this.dueNanos = new AtomicLong(nowNanos);
    }

    /** True if a line may be logged; else it is counted. Times are compared by their difference, as the clock may wrap. */
    boolean admits(long nowNanos) {
        while (true) {
            long due = dueNanos.get();
            long aheadNanos = due - nowNanos;
            if (aheadNanos > burstNanos) {
                suppressed.incrementAndGet();
                return false;
            }
            if (dueNanos.compareAndSet(due, (aheadNanos > 0 ? due : nowNanos) + INTERVAL_NANOS)) {
                return true;
            }
        }
    }

    /** How many lines were not logged since this was last called. */
    long takeSuppressed() {
        return suppressed.getAndSet(0);
    }

    /** Whether it is as good as a new one. */
    boolean isIdle(long nowNanos) {
        return dueNanos.get() - nowNanos <= 0 && suppressed.get() == 0;
    }
}
