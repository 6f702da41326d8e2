package dev.sluice.pipeline;

import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/**
 * Keeps those who can repeat what is logged from filling a disk: of each key, such as a kind of line and who caused it, {@value #BURST} lines at once and
 * one a second after that; the others are counted.
 *
 * <p><b>Threading:</b> any thread. <b>Allocation:</b> bounded: {@value #MAX_KEYS} keys, and one for all those beyond them.
 */
public final class LogLimiter {
    /** Lines of a key that are logged before any is left out. */
    public static final int BURST = 10;

    private static final int MAX_KEYS = 64;
    private static final long INTERVAL_NANOS = 1_000_000_000L;

    private final LongSupplier clock;
    private final Map<Object, Bucket> buckets = new LinkedHashMap<>();
    private final Bucket rest;

    private static final class Bucket {
        private int tokens = BURST;
        private long filledNanos;
        private long suppressed;

        private Bucket(long now) {
            this.filledNanos = now;
        }

        private void fill(long now) {
            long intervals = (now - filledNanos) / INTERVAL_NANOS;
            tokens = (int) Math.min(BURST, tokens + intervals);
            filledNanos += intervals * INTERVAL_NANOS;
        }
    }

    public LogLimiter() {
        this(System::nanoTime);
    }

    LogLimiter(LongSupplier clock) {
        this.clock = clock;
        this.rest = new Bucket(clock.getAsLong());
    }

    /**
     * Asks for a line.
     *
     * @return what to append to the line: nothing, or how many of its kind were left out before it; null where the line is to be left out
     */
    public synchronized @Nullable String admit(Object key) {
        long now = clock.getAsLong();
        Bucket bucket = bucket(key, now);
        bucket.fill(now);
        if (bucket.tokens == 0) {
            bucket.suppressed++;
            return null;
        }
        bucket.tokens--;
        long suppressed = bucket.suppressed;
        bucket.suppressed = 0;
        return suppressed == 0 ? "" : " (" + suppressed + " more such lines before this one were not logged)";
    }

    private Bucket bucket(Object key, long now) {
        Bucket known = buckets.get(key);
        if (known != null) {
            return known;
        }
        if (buckets.size() >= MAX_KEYS) {
            forgetIdle(now);
        }
        if (buckets.size() >= MAX_KEYS) {
            return rest;
        }
        Bucket made = new Bucket(now);
        buckets.put(key, made);
        return made;
    }

    /** A full bucket without a count is as good as a new one. */
    private void forgetIdle(long now) {
        for (Iterator<Bucket> each = buckets.values().iterator(); each.hasNext(); ) {
            Bucket bucket = each.next();
            bucket.fill(now);
            if (bucket.tokens == BURST && bucket.suppressed == 0) {
                each.remove();
            }
        }
    }

    /** How many lines were left out of which no later line has told; the count begins again. */
    public synchronized long takeSuppressed() {
        long sum = rest.suppressed;
        rest.suppressed = 0;
        for (Bucket bucket : buckets.values()) {
            sum += bucket.suppressed;
            bucket.suppressed = 0;
        }
        return sum;
    }
}
