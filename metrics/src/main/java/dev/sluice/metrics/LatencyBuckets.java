package dev.sluice.metrics;

import java.util.Objects;

/**
 * The buckets of latency histograms: 1, 2 and 5 of every decade from 10 us to 10 s, and one for everything slower.
 *
 * <p>Layout only. <b>Threading</b>: any. <b>Allocation</b>: none.
 */
public final class LatencyBuckets {
    private static final long[] UPPER_BOUNDS = upperBounds();

    /** The bounded buckets and the unbounded one. */
    public static final int COUNT = UPPER_BOUNDS.length + 1;

    /** By the bit length of a duration: the first bucket that a duration of this length may be in; the right one is at most two further. */
    private static final byte[] FIRST_OF_BITS = firstOfBits();

    private LatencyBuckets() {}

    private static long[] upperBounds() {
        long[] steps = {1, 2, 5};
        long[] bounds = new long[19];
        long decade = 10_000;
        for (int i = 0; i < bounds.length; i++) {
            bounds[i] = decade * steps[i % steps.length];
            if (i % steps.length == steps.length - 1) {
                decade *= 10;
            }
        }
        return bounds;
    }

    private static byte[] firstOfBits() {
        byte[] first = new byte[Long.SIZE + 1];
        for (int bits = 1; bits <= Long.SIZE; bits++) {
            long least = 1L << (bits - 1);
            byte index = 0;
            while (index < UPPER_BOUNDS.length && (least < 0 || least > UPPER_BOUNDS[index])) {
                index++;
            }
            first[bits] = index;
        }
        return first;
    }

    /** The bucket of a duration; a negative one is treated as zero. */
    public static int indexOf(long nanos) {
        if (nanos <= 0) {
            return 0;
        }
        int index = FIRST_OF_BITS[Long.SIZE - Long.numberOfLeadingZeros(nanos)];
        while (index < UPPER_BOUNDS.length && nanos > UPPER_BOUNDS[index]) {
            index++;
        }
        return index;
    }

    /** The longest duration in a bucket in nanoseconds; {@code Long.MAX_VALUE} for the last. */
    public static long upperBoundNanos(int index) {
        return Objects.checkIndex(index, COUNT) == COUNT - 1 ? Long.MAX_VALUE : UPPER_BOUNDS[index];
    }

    /** The longest duration in a bucket in seconds; positive infinity for the last. */
    public static double upperBoundSeconds(int index) {
        long nanos = upperBoundNanos(index);
        return index == COUNT - 1 ? Double.POSITIVE_INFINITY : nanos / 1e9;
    }
}
