package dev.sluice.pipeline;

import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * An observer that cannot harm the front end that it observes: what it throws is logged, as often as a {@link RateLimitedLog} admits.
 *
 * <p><b>Threading:</b> any thread. <b>Failure:</b> throws nothing.
 */
final class GuardedFrontEndObserver implements FrontEndObserver {
    private static final Logger LOG = LoggerFactory.getLogger(FrontEndObserver.class);

    private final FrontEndObserver observer;
    private final String frontEnd;
    private final RateLimitedLog limit = new RateLimitedLog(LOG);

    GuardedFrontEndObserver(FrontEndObserver observer, String frontEnd) {
        this.observer = observer;
        this.frontEnd = frontEnd;
    }

    @Override
    public void connectionEvent(ConnectionEvent event, int peerPid) {
        try {
            observer.connectionEvent(event, peerPid);
        } catch (Throwable failed) {
            if (limit.admits()) {
                LOG.error("{}: the observer of the front end failed on {}", frontEnd, event, failed);
            }
        }
    }
}
