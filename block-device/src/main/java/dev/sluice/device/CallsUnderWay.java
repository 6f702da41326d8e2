package dev.sluice.device;

import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Counts the calls of channels that may hold pooled buffers, so that a closing device frees their memory after the last of them has returned.
 * A closing device refuses whatever such a call requests next, so none of them lasts.
 *
 * <p><b>Threading:</b> any; one thread waits. <b>Allocation:</b> none.
 */
final class CallsUnderWay {
    private static final Logger LOG = LoggerFactory.getLogger(CallsUnderWay.class);

    private final AtomicInteger count = new AtomicInteger();
    private volatile @Nullable Thread waiting;

    void begin() {
        count.incrementAndGet();
    }

    void end() {
        if (count.decrementAndGet() == 0) {
            LockSupport.unpark(waiting);
        }
    }

    /** Waits until there is none, or until the limit has passed: then code outside the device holds up a call. */
    void awaitNone(long nanos) {
        waiting = Thread.currentThread();
        long begun = System.nanoTime();
        long left = nanos;
        while (count.get() > 0 && left > 0) {
            LockSupport.parkNanos(this, left);
            left = nanos - (System.nanoTime() - begun);
        }
        if (count.get() > 0) {
            LOG.warn("{} calls of channels have not returned from their block device, which closes nevertheless", count.get());
        }
    }
}
