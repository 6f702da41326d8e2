package dev.sluice.pipeline;

import java.util.function.LongSupplier;
import org.slf4j.Logger;

/**
 * Lets one line a second into a log and counts the others: whoever knows how to make something fail again and again must not fill the host's disk. For lines
 * that many cause beside one another there is {@link LogLimiter}.
 *
 * <p><b>Threading:</b> any thread, without a lock. <b>Allocation:</b> none for what is not logged.
 */
public final class RateLimitedLog {
    private final Logger log;
    private final LongSupplier clock;
    private final LineRate rate;

    public RateLimitedLog(Logger log) {
        this(log, System::nanoTime);
    }

    /** With another clock than {@link System#nanoTime}. */
    public RateLimitedLog(Logger log, LongSupplier clock) {
        this.log = log;
        this.clock = clock;
        this.rate = new LineRate(1, clock.getAsLong());
    }

    /** True if the caller may log its line; logs first how many were left out since the last one. */
    public boolean admits() {
        if (!rate.admits(clock.getAsLong())) {
            return false;
        }
        long suppressed = rate.takeSuppressed();
        if (suppressed > 0) {
            log.warn("{} lines of this kind were not logged", suppressed);
        }
        return true;
    }
}
