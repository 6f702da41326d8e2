package dev.sluice.metrics;

/**
 * Powers of two of nanoseconds: bucket 0 holds what took up to 1024 ns, bucket {@code i} what took up to 2<sup>10+i</sup> ns and longer than the
 * bucket before, the last one everything longer than 17 s.
 *
 * <p>Layout only. <b>Threading</b>: any. <b>Allocation</b>: none.
 */
public final class LatencyBuckets {
    private static final int FIRST_BITS = 10;
    private static final int LAST_BITS = 34;

    /** The bounded buckets and the one without a bound. */
    public static final int COUNT = LAST_BITS - FIRST_BITS + 2;

    private LatencyBuckets() {}

    /** The bucket of a duration; one below zero is taken for zero. */
    public static int indexOf(long nanos) {
        if (nanos <= 1L << FIRST_BITS) {
            return 0;
        }
        int bits = Long.SIZE - Long.numberOfLeadingZeros(nanos - 1);
        return Math.min(bits - FIRST_BITS, COUNT - 1);
    }

    /** The longest duration in a bucket; {@code Long.MAX_VALUE} for the last. */
    public static long upperBoundNanos(int index) {
        if (index < 0 || index >= COUNT) {
            throw new IndexOutOfBoundsException("bucket " + index + " is not from 0 to " + (COUNT - 1));
        }
        return index == COUNT - 1 ? Long.MAX_VALUE : 1L << (FIRST_BITS + index);
    }
}
