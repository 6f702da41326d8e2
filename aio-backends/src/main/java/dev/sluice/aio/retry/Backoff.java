package dev.sluice.aio.retry;

/**
 * Pauses between tries of what fails again and again: they double from 1 ms to 128 ms, until something has succeeded.
 *
 * <p><b>Threading:</b> one thread. <b>Allocation:</b> none.
 */
public final class Backoff {
    /** The first pause. */
    public static final long FIRST_PAUSE_NANOS = 1_000_000;

    private static final int MOST_DOUBLINGS = 7;

    private int failures;

    /** The pause after the failure that is the number-th in a row, counted from 0. */
    static long pauseNanos(int number) {
        return FIRST_PAUSE_NANOS << Math.min(number, MOST_DOUBLINGS);
    }

    /** Another failure; returns the pause before the next try. */
    public long nextPauseNanos() {
        return pauseNanos(failures++);
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
