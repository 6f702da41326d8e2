package dev.sluice.virtio.vhostuser;

import dev.sluice.pipeline.testing.Patience;
import dev.sluice.virtio.driver.DriverMemory;
import dev.sluice.virtio.driver.DriverQueue;
import dev.sluice.virtio.driver.MemoryRegion;
import dev.sluice.virtio.driver.QueueShape;
import dev.sluice.virtio.driver.VhostUserFrontend;
import dev.sluice.virtio.layout.VhostUser;
import dev.sluice.virtio.layout.VirtioFeatures;
import java.io.IOException;
import java.time.Duration;

/** A front end in pieces: one queue, and each step of its start for itself, so that a test can leave one out or do it wrong. */
final class RawFrontEnd implements AutoCloseable {
    static final long FEATURES = VirtioFeatures.VERSION_1
            | VirtioFeatures.INDIRECT_DESC
            | VirtioFeatures.BLK_FLUSH
            | VirtioFeatures.BLK_CONFIG_WCE
            | VirtioFeatures.VHOST_USER_PROTOCOL_FEATURES;
    static final long PROTOCOL_FEATURES =
            VhostUser.PROTOCOL_F_MQ | VhostUser.PROTOCOL_F_CONFIG | VhostUser.PROTOCOL_F_REPLY_ACK | VhostUser.PROTOCOL_F_CONFIGURE_MEM_SLOTS;
    static final QueueShape SHAPE = QueueShape.of(16, 8, 4096);

    final VhostUserFrontend frontend;
    final DriverMemory memory;
    final MemoryRegion region;
    final DriverQueue queue;

    RawFrontEnd(ServerFixture fixture, long features) throws IOException {
        this(VhostUserFrontend.connect(fixture.socket.toString(), Duration.ofSeconds(Patience.seconds(20))), features);
    }

    RawFrontEnd(VhostUserFrontend frontend, long features) throws IOException {
        this.frontend = frontend;
        memory = DriverMemory.ofOneRegion(2 * SHAPE.memoryBytes() + (1 << 16));
        region = memory.regions().getFirst();
        queue = DriverQueue.create(0, SHAPE, features, region);
    }

    RawFrontEnd(ServerFixture fixture) throws IOException {
        this(fixture, FEATURES);
    }

    /** All there is up to the first request. */
    static RawFrontEnd running(ServerFixture fixture) throws IOException {
        return running(fixture, FEATURES);
    }

    static RawFrontEnd running(ServerFixture fixture, long features) throws IOException {
        RawFrontEnd made = new RawFrontEnd(fixture, features);
        made.negotiate(features, PROTOCOL_FEATURES);
        made.shareMemory();
        made.setUpRing();
        made.frontend.setVringKick(0, made.queue.kickFd());
        made.frontend.setVringEnable(0, true);
        return made;
    }

    void negotiate(long features, long protocolFeatures) throws IOException {
        frontend.setProtocolFeatures(protocolFeatures);
        frontend.setOwner();
        frontend.setFeatures(features);
    }

    void shareMemory() throws IOException {
        frontend.setMemTable(region);
    }

    /** Everything before the kick. */
    void setUpRing() throws IOException {
        frontend.setVringNum(0, SHAPE.queueSize());
        frontend.setVringBase(0, 0);
        frontend.setVringAddr(0, queue.ring());
        frontend.setVringErr(0, queue.errFd());
        frontend.setVringCall(0, queue.callFd());
    }

    /** Whether a read of the first sector succeeds. */
    boolean reads() {
        int slot = queue.submit(dev.sluice.virtio.driver.BlkRequest.T_IN, 0, 512);
        boolean _ = queue.publish();
        int[] status = {-1};
        if (slot >= 0 && queue.await(Patience.millis(20_000))) {
            int _ = queue.poll((completed, value, written) -> status[0] = value);
        }
        return status[0] == dev.sluice.virtio.driver.BlkRequest.S_OK;
    }

    @Override
    public void close() {
        frontend.close();
        queue.close();
        memory.close();
    }
}
