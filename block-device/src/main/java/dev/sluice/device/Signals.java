package dev.sluice.device;

import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import reactor.core.CoreSubscriber;

/**
 * Signals to subscribers that may throw: Reactor's operators let a {@code VirtualMachineError} or {@code LinkageError} of user code through, and no further
 * signal would follow.
 *
 * <p><b>Threading:</b> that of the signal. <b>Failure:</b> what {@code onNext} throws is signalled as {@code onError}; what a terminal signal throws is
 * logged, because nothing may follow it.
 */
final class Signals {
    private static final Logger LOG = LoggerFactory.getLogger(Signals.class);

    private Signals() {}

    /** Signals a value and completion. */
    static <T> void value(CoreSubscriber<? super T> actual, T value) {
        try {
            actual.onNext(value);
        } catch (Throwable failed) {
            LOG.error("a subscriber threw from onNext; the request fails with what it threw", failed);
            error(actual, failed);
            return;
        }
        complete(actual);
    }

    static void complete(CoreSubscriber<?> actual) {
        try {
            actual.onComplete();
        } catch (Throwable failed) {
            LOG.error("a subscriber threw from onComplete", failed);
        }
    }

    static void error(CoreSubscriber<?> actual, Throwable error) {
        try {
            actual.onError(error);
        } catch (Throwable failed) {
            LOG.error("a subscriber threw from onError", failed);
        }
    }
}
