package dev.sluice.virtio.blk;

import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Names the rules that chains break, once a second at most: a guest that breaks them all the time must not fill a disk. One queue's, loop thread only. */
final class ChainLog {
    private static final Logger LOG = LoggerFactory.getLogger(ChainLog.class);
    private static final long INTERVAL_NANOS = TimeUnit.SECONDS.toNanos(1);

    private final int queueIndex;
    private long lastNanos;
    private boolean logged;
    private long suppressed;

    ChainLog(int queueIndex) {
        this.queueIndex = queueIndex;
    }

    void malformed(int chainId, String rule, long nowNanos) {
        if (logged && nowNanos - lastNanos < INTERVAL_NANOS) {
            suppressed++;
            return;
        }
        LOG.warn("queue {}: request of head {} is malformed: {}; it fails ({} more since the last such line)", queueIndex, chainId, rule, suppressed);
        logged = true;
        lastNanos = nowNanos;
        suppressed = 0;
    }
}
