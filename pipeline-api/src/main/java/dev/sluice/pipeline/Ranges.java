package dev.sluice.pipeline;

/** Checks values that people set against their bounds. */
public final class Ranges {
    private Ranges() {}

    /**
     * Requires a value to be within its bounds, which belong to the range.
     *
     * @param what names the value
     * @throws IllegalArgumentException naming the value and its bounds
     */
    public static void require(String what, long value, long min, long max) {
        if (value < min || value > max) {
            throw new IllegalArgumentException(what + " " + value + " is not from " + min + " to " + max);
        }
    }
}
