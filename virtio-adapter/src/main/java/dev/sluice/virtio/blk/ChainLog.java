package dev.sluice.virtio.blk;

import dev.sluice.pipeline.RateLimitedLog;
import java.util.function.LongSupplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Names the rules that the chains of a queue break, as often as a {@link RateLimitedLog} admits. */
final class ChainLog {
    private static final Logger LOG = LoggerFactory.getLogger(ChainLog.class);

    private final int queueIndex;
    private final RateLimitedLog limit;

    ChainLog(int queueIndex, LongSupplier clock) {
        this.queueIndex = queueIndex;
        this.limit = new RateLimitedLog(LOG, clock);
    }

    void malformed(int chainId, String rule) {
        if (limit.admits()) {
            LOG.warn("queue {}: request of head {} is malformed: {}; it fails", queueIndex, chainId, rule);
        }
    }
}
