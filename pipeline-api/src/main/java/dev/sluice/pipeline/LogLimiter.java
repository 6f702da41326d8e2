package dev.sluice.pipeline;

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

    private final LongSupplier clock;
    private final Map<Object, LineRate> rates = new LinkedHashMap<>();
    private final LineRate rest;

    public LogLimiter() {
        this(System::nanoTime);
    }

    LogLimiter(LongSupplier clock) {
        this.clock = clock;
        this.rest = new LineRate(BURST, clock.getAsLong());
    }

    /**
     * Asks for a line.
     *
     * @return what to append to the line: nothing, or how many of its kind were left out before it; null if the line is to be left out
     */
    public synchronized @Nullable String admit(Object key) {
        long now = clock.getAsLong();
        LineRate rate = rate(key, now);
        if (!rate.admits(now)) {
            return null;
        }
        long suppressed = rate.takeSuppressed();
        return suppressed == 0 ? "" : " (" + suppressed + " more such lines before this one were not logged)";
    }

    private LineRate rate(Object key, long now) {
        LineRate known = rates.get(key);
        if (known != null) {
            return known;
        }
        if (rates.size() >= MAX_KEYS) {
            rates.values().removeIf(rate -> rate.isIdle(now));
        }
        if (rates.size() >= MAX_KEYS) {
            return rest;
        }
        LineRate made = new LineRate(BURST, now);
        rates.put(key, made);
        return made;
    }

    /** How many lines were left out and not yet reported by a later line; the count restarts. */
    public synchronized long takeSuppressed() {
        long sum = rest.takeSuppressed();
        for (LineRate rate : rates.values()) {
            sum += rate.takeSuppressed();
        }
        return sum;
    }
}
