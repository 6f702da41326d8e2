package dev.sluice.aio.loop;

import dev.sluice.pipeline.RateLimitedLog;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Logs what turns, hooks, tasks and callbacks throw, with its stack, as often as a {@link RateLimitedLog} admits.
 *
 * <p><b>Threading:</b> one thread. <b>Failure:</b> never throws, whatever the logger does.
 */
final class FailureLog {
    private static final Logger LOG = LoggerFactory.getLogger(TickLoop.class);

    private final String loopName;
    private final RateLimitedLog limit = new RateLimitedLog(LOG);

    FailureLog(String loopName) {
        this.loopName = loopName;
    }

    void log(String what, Throwable failure) {
        try {
            if (limit.admits()) {
                LOG.error("{}: {} failed; the loop continues", loopName, what, failure);
            }
        } catch (Throwable loggerFailed) {
            // Out of memory, say: the loop outlives its logger.
        }
    }
}
