package dev.sluice.pipeline;

/**
 * Pauses between tries of what fails again and again: they double up to a limit, until something has succeeded.
 *
 * <p><b>Threading:</b> one thread. <b>Allocation:</b> none.
 */
public final class Backoff {
    /** The first pause, unless another one is given. */
    public static final long FIRST_PAUSE_NANOS = 1_000_000;

    private static final int MAX_DOUBLINGS = 7;

    private final long firstPauseNanos;
    private final int maxDoublings;
    private int failures;

    /** Pauses from 1 ms to 128 ms. */
    public Backoff() {
        this(FIRST_PAUSE_NANOS, MAX_DOUBLINGS);
    }

    /**
     * Pauses from {@code firstPauseNanos} on.
     *
     * @param maxDoublings how often it doubles
     */
    public Backoff(long firstPauseNanos, int maxDoublings) {
        this.firstPauseNanos = firstPauseNanos;
        this.maxDoublings = maxDoublings;
    }

    /** Another failure; returns the pause before the next try. */
    public long nextPauseNanos() {
        long pauseNanos = firstPauseNanos << Math.min(failures, maxDoublings);
        failures++;
        return pauseNanos;
    }

    /** Whether nothing has succeeded since the last failure. */
    public boolean failing() {
        return failures > 0;
    }

    /** Something has succeeded. */
    public void reset() {
        failures = 0;
    }
}
