package dev.sluice.virtio.vhostuser;

import dev.sluice.linux.EventFd;
import dev.sluice.linux.Fd;
import dev.sluice.pipeline.BlockGeometry;
import dev.sluice.pipeline.BlockPipeline;
import dev.sluice.pipeline.QueueGroup;
import dev.sluice.pipeline.testing.SimulatedBackend;
import dev.sluice.pipeline.testing.SimulatedFaults;
import dev.sluice.pipeline.testing.SimulatedSink;
import dev.sluice.virtio.blk.VirtioBlkDevice;
import dev.sluice.virtio.driver.BlkRequest;
import dev.sluice.virtio.driver.DriverMemory;
import dev.sluice.virtio.driver.DriverQueue;
import dev.sluice.virtio.driver.MemoryRegion;
import dev.sluice.virtio.driver.QueueShape;
import dev.sluice.virtio.queue.CallBatch;
import dev.sluice.virtio.queue.GuestMemory;
import dev.sluice.virtio.queue.RefusableCalls;
import java.io.IOException;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;

/** A device whose loop is the test's own thread, with a driver's queue for it; nothing happens behind the test's back. */
final class InlineDevice implements AutoCloseable {
    static final int QUEUE_SIZE = 16;
    static final int MAX_SIZE = 64;
    static final int QUEUES = 2;

    final InlineLoop loop = new InlineLoop();
    /** Whether the kernel takes no calls for now. */
    boolean callsRefused;

    final CallBatch calls = RefusableCalls.of(loop, () -> callsRefused);
    final RecordedEvents events = new RecordedEvents();
    final SimulatedBackend backend;
    final BlockPipeline pipeline;
    final VirtioBlkDevice device;
    final AtomicLong quarantined = new AtomicLong();
    final MappingQuarantine quarantine = new MappingQuarantine(quarantined);
    final DriverMemory driverMemory;
    final MemoryRegion region;
    final DriverQueue queue;

    InlineDevice(long features) throws IOException {
        BlockGeometry geometry = new BlockGeometry(1 << 20, 512, 4096, 0, false, true, true);
        backend = new SimulatedBackend(geometry, SimulatedBackend.DEFAULT_CAPACITY, SimulatedFaults.NONE);
        pipeline = BlockPipeline.builder().backend(backend).observer(events).build();
        device = new VirtioBlkDevice(() -> geometry, QUEUES, 126);
        QueueShape shape = QueueShape.of(QUEUE_SIZE, 4, 4096);
        driverMemory = DriverMemory.ofOneRegion(shape.memoryBytes());
        region = driverMemory.regions().getFirst();
        queue = DriverQueue.create(0, shape, features, region);
    }

    Virtqueue virtqueue(int index) {
        return new Virtqueue(index, loop, calls, device, pipeline, new QueueGroup(), MAX_SIZE, quarantine);
    }

    /** The driver's memory, without another mapping. */
    GuestMemory memory() {
        return new GuestMemory(List.of(new dev.sluice.virtio.queue.MemoryRegion(region.guestAddress(), region.userAddress(), region.memory())));
    }

    long user(long offset) {
        return region.userAddress() + offset;
    }

    SimulatedSink sink() {
        return backend.sinkOf(loop);
    }

    static Fd eventFd() {
        return Fd.adopt(EventFd.create(0, EventFd.EFD_CLOEXEC));
    }

    /** Offers a flush; returns whether the device wants a kick for it. */
    boolean offerFlush() {
        if (queue.submit(BlkRequest.T_FLUSH, 0, 0) < 0) {
            throw new AssertionError("the ring is full");
        }
        return queue.publish();
    }

    /** Requests that have completed since the last call. */
    int completed() {
        return queue.poll((slot, status, written) -> {
            if (status != BlkRequest.S_OK) {
                throw new AssertionError("status " + status);
            }
        });
    }

    @Override
    public void close() {
        pipeline.close();
        calls.close();
        loop.close();
        queue.close();
        driverMemory.close();
        backend.close();
    }
}
