package dev.sluice.examples.disk;

import dev.sluice.pipeline.Shortcuts;

/**
 * How a disk differs from one that is to be used, so that something can be measured on it. Immutable.
 *
 * @param nullBytes size of a disk without an image, which does nothing; 0 where there is an image
 * @param readZeroes whether reads of that disk give zeroes, in place of what is in the guest's buffers
 * @param shortcuts what the pipeline leaves out to be fast
 */
public record Measurement(long nullBytes, boolean readZeroes, Shortcuts shortcuts) {
    /** A disk to be used. */
    public static final Measurement NONE = new Measurement(0, false, Shortcuts.ALL);

    public Measurement {
        if (nullBytes < 0) {
            throw new IllegalArgumentException("size of " + nullBytes + " bytes is negative");
        }
        if (readZeroes && nullBytes == 0) {
            throw new IllegalArgumentException("--read-zeroes goes with --backend null");
        }
    }
}
