package dev.sluice.pipeline;

import java.util.concurrent.atomic.AtomicLong;
import java.util.function.LongSupplier;
import org.slf4j.Logger;

/**
 * Lets one failure a second into the log and counts the others: a guest that knows how to make a stage fail must not fill the host's disk.
 *
 * <p><b>Threading:</b> any thread. <b>Allocation:</b> none for what is not logged.
 */
final class FailureLog {
    private static final long QUIET_NANOS = 1_000_000_000L;

    private final Logger log;
    private final LongSupplier clock;
    private final AtomicLong lastNanos;
    private final AtomicLong left = new AtomicLong();

    FailureLog(Logger log) {
        this(log, System::nanoTime);
    }

    FailureLog(Logger log, LongSupplier clock) {
        this.log = log;
        this.clock = clock;
        this.lastNanos = new AtomicLong(clock.getAsLong() - QUIET_NANOS);
    }

    /** True where the caller shall log its failure; says first how many were left out since the last one. */
    boolean admits() {
        long now = clock.getAsLong();
        long last = lastNanos.get();
        if (now - last < QUIET_NANOS || !lastNanos.compareAndSet(last, now)) {
            left.incrementAndGet();
            return false;
        }
        long omitted = left.getAndSet(0);
        if (omitted > 0) {
            log.error("{} failures of the same queue were not logged", omitted);
        }
        return true;
    }
}
