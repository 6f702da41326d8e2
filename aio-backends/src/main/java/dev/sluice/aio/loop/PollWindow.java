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
 * <p>There are two, tuned apart: one for waits with requests in the kernel and one for those without, which end by a kick. At depth 1 they take turns, and a disk
 * that takes longer than the bound says nothing about how soon the driver will kick.
 *
 * <p>QEMU's {@code poll-max-ns} tunes itself much like this, but becomes 0 at once and grows from 4 us again: there a guest that is late a single time is slept
 * for three times. <b>Threading:</b> the loop's thread. <b>Allocation:</b> none.
 */
final class PollWindow {
    private static final long SHORTEST_NANOS = 4_000;

    private final long maxNanos;
    private final long[] windowNanos = new long[2];
    /** Which of them the wait that goes on is about. */
    private int kind;
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

    /**
     * The loop has nothing to do; whether it is to look again instead of sleeping.
     *
     * @param inKernel whether the kernel has requests of it
     */
    boolean spins(long nowNanos, boolean inKernel) {
        if (!idle) {
            idle = true;
            idleSinceNanos = nowNanos;
            kind = kind(inKernel);
        }
        return nowNanos - idleSinceNanos < windowNanos[kind];
    }

    /** The loop has slept until now. */
    void slept(long nowNanos) {
        long idleNanos = nowNanos - idleSinceNanos;
        idle = false;
        long window = windowNanos[kind];
        if (idleNanos > maxNanos) {
            windowNanos[kind] = window / 2 < SHORTEST_NANOS ? 0 : window / 2;
        } else if (idleNanos > window) {
            windowNanos[kind] = Math.min(maxNanos, Math.max(Math.max(SHORTEST_NANOS, idleNanos), window * 2));
        }
    }

    long windowNanos(boolean inKernel) {
        return windowNanos[kind(inKernel)];
    }

    private static int kind(boolean inKernel) {
        return inKernel ? 1 : 0;
    }
}
