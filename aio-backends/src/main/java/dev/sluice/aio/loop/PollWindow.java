package dev.sluice.aio.loop;

/**
 * How long a loop spins before it sleeps: as long as work has lately been that late, and never longer than its bound.
 *
 * <pre>
 * the loop was idle for                      the window
 * less than the window (work came to it)     stays
 * more than the window, less than the bound  doubles, from 4 us on, up to the bound: a longer one would have caught the work
 * more than the bound                        becomes 0: spinning would have been of no use
 * </pre>
 *
 * <p>QEMU's {@code poll-max-ns} tunes itself so. <b>Threading:</b> the loop's thread. <b>Allocation:</b> none.
 */
final class PollWindow {
    private static final long FIRST_NANOS = 4_000;

    private final long maxNanos;
    private long windowNanos;
    private boolean idle;
    private long idleSinceNanos;

    PollWindow(long maxNanos) {
        this.maxNanos = maxNanos;
    }

    /** Whether the loop ever spins. */
    boolean enabled() {
        return maxNanos > 0;
    }

    /** The loop had something to do. */
    void worked() {
        idle = false;
    }

    /** The loop has nothing to do; whether it is to look again instead of sleeping. */
    boolean spins(long nowNanos) {
        if (!idle) {
            idle = true;
            idleSinceNanos = nowNanos;
        }
        return nowNanos - idleSinceNanos < windowNanos;
    }

    /** The loop has slept until now. */
    void slept(long nowNanos) {
        long idleNanos = nowNanos - idleSinceNanos;
        idle = false;
        if (idleNanos > maxNanos) {
            windowNanos = 0;
        } else if (idleNanos > windowNanos) {
            windowNanos = Math.min(maxNanos, Math.max(FIRST_NANOS, windowNanos * 2));
        }
    }

    long windowNanos() {
        return windowNanos;
    }
}
