package dev.sluice.pipeline;

import java.util.concurrent.atomic.AtomicLong;
import org.slf4j.Logger;

/**
 * Lets one failure a second into the log and counts the others: a guest that knows how to make a stage fail must not fill the host's disk.
 *
 * <p><b>Threading:</b> any thread. <b>Allocation:</b> none for what is not logged.
 */
final class FailureLog {
    private static final long QUIET_NANOS = 1_000_000_000L;

    private final Logger log;
    private final AtomicLong lastNanos = new AtomicLong(System.nanoTime() - QUIET_NANOS);
    private final AtomicLong left = new AtomicLong();

    FailureLog(Logger log) {
        this.log = log;
    }

    /** True where the caller shall log its failure; says first how many were left out since the last one. */
    boolean admits() {
        long now = System.nanoTime();
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
