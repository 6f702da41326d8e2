package dev.sluice.examples;

import dev.sluice.examples.disk.LaunchException;
import dev.sluice.examples.load.LoadPlan;
import dev.sluice.virtio.driver.BlockDriver;
import dev.sluice.virtio.driver.BlockDriverOptions;
import dev.sluice.virtio.driver.QueueShape;
import java.io.IOException;
import java.nio.file.Path;

/** Opens a disk behind a socket with the queues that a load needs. */
final class Disks {
    private static final int SMALLEST_QUEUE = 64;

    private Disks() {}

    static BlockDriver open(Path socket, LoadPlan plan) throws IOException {
        int wanted = Math.max(SMALLEST_QUEUE, plan.depth());
        int queueSize = Integer.highestOneBit(wanted - 1) << 1;
        BlockDriverOptions options = BlockDriverOptions.defaults()
                .withQueues(plan.queues())
                .withShape(QueueShape.of(queueSize, plan.depth(), plan.blockBytes()));
        BlockDriver driver = BlockDriver.open(socket.toString(), options);
        if (driver.queueCount() < plan.queues()) {
            int offered = driver.queueCount();
            driver.close();
            throw new LaunchException("the disk at " + socket + " offers " + offered + " queues, not " + plan.queues() + "; ask for fewer with --queues");
        }
        return driver;
    }
}
