package dev.sluice.aio.loop;

import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Logs what turns, hooks, tasks and callbacks throw: at most one a second with its stack, the rest as a number, so that a failure that
 * a guest can repeat doesn't fill a disk.
 *
 * <p><b>Threading:</b> one thread. <b>Failure:</b> never throws, whatever the logger does.
 */
final class FailureLog {
    private static final Logger LOG = LoggerFactory.getLogger(TickLoop.class);
    private static final long INTERVAL_NANOS = 1_000_000_000L;

    private final String loopName;
    private long lastLoggedNanos = System.nanoTime() - INTERVAL_NANOS;
    private long suppressed;

    FailureLog(String loopName) {
        this.loopName = loopName;
    }

    void log(String what, Throwable failure) {
        try {
            long now = System.nanoTime();
            if (now - lastLoggedNanos < INTERVAL_NANOS) {
                suppressed++;
                return;
            }
            lastLoggedNanos = now;
            LOG.error("{}: {} failed; the loop continues ({} failures were not logged before this one)", loopName, what, suppressed, failure);
            suppressed = 0;
        } catch (Throwable loggerFailed) {
            // Out of memory, say: the loop outlives its logger.
            suppressed++;
        }
    }
}
