package dev.sluice.server.disk;

import dev.sluice.pipeline.Ranges;

/**
 * How a disk for measurements differs from one for normal use. Immutable.
 *
 * @param nullBytes size of a disk without an image, which does nothing; 0 if there is an image
 * @param readZeroes whether reads of that disk return zeroes, instead of leaving the guest's buffers unchanged
 * @param operators number of Flux operators without effect, in front of the stages
 */
public record Measurement(long nullBytes, boolean readZeroes, int operators) {
    /** A disk for normal use. */
    public static final Measurement NONE = new Measurement(0, false, 0);

    private static final int MOST_OPERATORS = 64;

    public Measurement {
        if (nullBytes < 0) {
            throw new IllegalArgumentException("size of " + nullBytes + " bytes is negative");
        }
        if (readZeroes && nullBytes == 0) {
            throw new IllegalArgumentException("--read-zeroes requires --backend null");
        }
        Ranges.require("--operators", operators, 0, MOST_OPERATORS);
    }
}
