package dev.sluice.aio.loop;

/**
 * How long a loop spins before it sleeps: as long as work has lately been that late, and never longer than its bound.
 *
 * <pre>
 * the loop was idle for                      the window
 * less than the window (work came to it)     stays
 * more than the window, less than the bound  doubles, and becomes as long as that at least: then it would have caught the work
 * more than the bound                        halves, and becomes 0 below 4 us: spinning was of no use this time
 * </pre>
 *
 * <p>QEMU's {@code poll-max-ns} tunes itself much like this, but becomes 0 at once and grows from 4 us again: there a guest that is late a single time is slept
 * for three times. <b>Threading:</b> the loop's thread. <b>Allocation:</b> none.
 */
final class PollWindow {
    private static final long SHORTEST_NANOS = 4_000;

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
            windowNanos = windowNanos / 2 < SHORTEST_NANOS ? 0 : windowNanos / 2;
        } else if (idleNanos > windowNanos) {
            windowNanos = Math.min(maxNanos, Math.max(Math.max(SHORTEST_NANOS, idleNanos), windowNanos * 2));
        }
    }

    long windowNanos() {
        return windowNanos;
    }
}
