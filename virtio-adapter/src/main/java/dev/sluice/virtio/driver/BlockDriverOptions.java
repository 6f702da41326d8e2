package dev.sluice.virtio.driver;

import java.time.Duration;

/**
 * How a {@link BlockDriver} is opened.
 *
 * @param queues wanted; fewer where the backend has fewer
 * @param shape of each queue
 * @param features wanted, of {@link DeviceSession#SUPPORTED_FEATURES}
 * @param protocolFeatures wanted, of {@link DeviceSession#SUPPORTED_PROTOCOL_FEATURES}
 * @param regionPerQueue guest memory in a region for each queue in place of one for all
 * @param timeout for the backend to listen, and for each of its replies
 */
public record BlockDriverOptions(
        int queues, QueueShape shape, long features, long protocolFeatures, boolean regionPerQueue, Duration timeout) {
    /** As many as a vhost-user message can name. */
    public static final int MAX_QUEUES = 256;

    public BlockDriverOptions {
        if (queues < 1 || queues > MAX_QUEUES) {
            throw new IllegalArgumentException("queues " + queues + " is not within 1.." + MAX_QUEUES);
        }
        if (timeout.isNegative() || timeout.isZero()) {
            throw new IllegalArgumentException("timeout " + timeout + " is not positive");
        }
    }

    /** One queue of 256 descriptors, 64 requests in flight of up to 128 KiB each, all features, 10 s. */
    public static BlockDriverOptions defaults() {
        return new BlockDriverOptions(
                1,
                QueueShape.of(256, 64, 128 << 10),
                DeviceSession.SUPPORTED_FEATURES,
                DeviceSession.SUPPORTED_PROTOCOL_FEATURES,
                false,
                Duration.ofSeconds(10));
    }

    /** The same with another number of queues. */
    public BlockDriverOptions withQueues(int wanted) {
        return new BlockDriverOptions(wanted, shape, features, protocolFeatures, regionPerQueue, timeout);
    }

    /** The same with queues of another shape. */
    public BlockDriverOptions withShape(QueueShape wanted) {
        return new BlockDriverOptions(queues, wanted, features, protocolFeatures, regionPerQueue, timeout);
    }

    /** The same without some features. */
    public BlockDriverOptions withoutFeatures(long unwanted) {
        return new BlockDriverOptions(queues, shape, features & ~unwanted, protocolFeatures, regionPerQueue, timeout);
    }

    /** The same without some protocol features. */
    public BlockDriverOptions withoutProtocolFeatures(long unwanted) {
        return new BlockDriverOptions(queues, shape, features, protocolFeatures & ~unwanted, regionPerQueue, timeout);
    }

    /** The same with guest memory in a region for each queue, or in one for all. */
    public BlockDriverOptions withRegionPerQueue(boolean wanted) {
        return new BlockDriverOptions(queues, shape, features, protocolFeatures, wanted, timeout);
    }

    /** The same with another timeout. */
    public BlockDriverOptions withTimeout(Duration wanted) {
        return new BlockDriverOptions(queues, shape, features, protocolFeatures, regionPerQueue, wanted);
    }
}
