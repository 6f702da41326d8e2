package dev.sluice.aio.loop;

/**
 * Whether and for how long a loop spins before it sleeps: where work has lately come while it did, and never longer than its bound.
 *
 * <p>A wait that ends within the bound counts for spinning, one beyond it eight times as much against it: spinning that is in vain more than once in nine
 * times costs more than it saves, as the driver's processor falls asleep meanwhile. A late request or two end nothing. How long a loop spins follows how
 * long the work took that came. Work that was there at the first look says nothing: it needed no spin.
 *
 * <p>Waits for a kick alone and waits with requests in the kernel are tuned apart: at depth 1 they take turns, and a disk that takes longer than the bound
 * says nothing about how soon the driver kicks. Of the former only those count that were spun, and each 64th is, as a trial, where the loop
 * sleeps: a driver that has slept for a moment only is soon back, which the loop's own waking would hide.
 *
 * <p>QEMU's {@code poll-max-ns} gives up at a single late request and then grows from 4 us again. <b>Threading:</b> the loop's thread.
 * <b>Allocation:</b> none.
 */
final class PollWindow {
    private static final long SHORTEST_NANOS = 4_000;
    private static final int WAITS_TO_A_TRIAL = 64;
    private static final int BEST = 32;
    private static final int GOOD_ENOUGH = BEST / 2;
    private static final int IN_VAIN = 8;

    private final long maxNanos;
    private final Waits forKicks = new Waits();
    private final Waits inKernel = new Waits();
    /** The kind of the wait in progress. */
    private Waits current = forKicks;

    private boolean idle;
    private long idleSinceNanos;
    private long spinNanos;
    private boolean lookedAgain;

    /** Waits of one kind. */
    private static final class Waits {
        int score;
        int asleep = WAITS_TO_A_TRIAL - 1;
        long usualNanos;

        void worked(long afterNanos, long maxNanos) {
            score = Math.min(BEST, score + 1);
            long enough = Math.min(maxNanos, Math.max(SHORTEST_NANOS, 2 * afterNanos));
            usualNanos = enough > usualNanos ? enough : usualNanos - (usualNanos - enough) / 8;
        }
    }

    PollWindow(long maxNanos) {
        this.maxNanos = maxNanos;
    }

    /** Whether the loop ever spins. */
    boolean enabled() {
        return maxNanos > 0;
    }

    /** The loop had something to do. */
    void worked(long nowNanos) {
        if (idle) {
            idle = false;
            if (lookedAgain) {
                current.worked(nowNanos - idleSinceNanos, maxNanos);
            }
        }
    }

    /**
     * The loop has nothing to do; whether it is to look again instead of sleeping.
     *
     * @param requestsInKernel whether the kernel has requests of it
     */
    boolean spins(long nowNanos, boolean requestsInKernel) {
        if (!idle) {
            idle = true;
            idleSinceNanos = nowNanos;
            current = requestsInKernel ? inKernel : forKicks;
            spinNanos = spinNanos();
            lookedAgain = false;
        } else {
            lookedAgain = true;
        }
        return nowNanos - idleSinceNanos < spinNanos;
    }

    private long spinNanos() {
        if (current.score >= GOOD_ENOUGH) {
            return current.usualNanos;
        }
        if (current == inKernel || ++current.asleep < WAITS_TO_A_TRIAL) {
            return 0;
        }
        current.asleep = 0;
        return maxNanos;
    }

    /** The loop has slept until now. */
    void slept(long nowNanos) {
        idle = false;
        long idleNanos = nowNanos - idleSinceNanos;
        if (spinNanos == 0 && current == forKicks) {
            return;
        }
        if (idleNanos > maxNanos) {
            current.score = Math.max(0, current.score - IN_VAIN);
        } else {
            current.worked(idleNanos, maxNanos);
        }
    }
}
