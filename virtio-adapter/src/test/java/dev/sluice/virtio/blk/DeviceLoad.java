package dev.sluice.virtio.blk;

import dev.sluice.pipeline.BlockBackend;
import dev.sluice.pipeline.BlockGeometry;
import dev.sluice.pipeline.BlockPipeline;
import dev.sluice.pipeline.BlockRequest;
import dev.sluice.pipeline.BlockSink;
import dev.sluice.pipeline.IoLoop;
import dev.sluice.pipeline.PipelineObserver;
import dev.sluice.pipeline.QueueSource;
import dev.sluice.pipeline.testing.ManualLoop;
import dev.sluice.virtio.driver.BlkRequest;
import dev.sluice.virtio.driver.CompletionHandler;
import dev.sluice.virtio.driver.DeviceSession;
import dev.sluice.virtio.driver.DriverMemory;
import dev.sluice.virtio.driver.DriverQueue;
import dev.sluice.virtio.driver.QueueShape;
import dev.sluice.virtio.layout.VirtioFeatures;
import dev.sluice.virtio.queue.CallBatch;
import dev.sluice.virtio.queue.DeviceRing;
import dev.sluice.virtio.queue.GuestMemory;
import dev.sluice.virtio.queue.MemoryRegion;
import dev.sluice.virtio.queue.RingAddresses;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.util.List;

/**
 * What a 4 KiB read costs in this layer: driver, queue, Flux and a sink that completes at once, in one thread. No part of verify. The driver's own share
 * is what {@code DriverLoad - poll 1 64 5} prints.
 *
 * <pre>
 * java --enable-native-access=ALL-UNNAMED -cp ... dev.sluice.virtio.blk.DeviceLoad 64 5
 * </pre>
 */
final class DeviceLoad implements CompletionHandler {
    private static final int BLOCK_BYTES = 4096;
    private long completed;

    private DeviceLoad() {}

    @Override
    public void completed(int slot, int status, int writtenBytes) {
        if (status != BlkRequest.S_OK) {
            throw new AssertionError("status " + status);
        }
        completed++;
    }

    /** Completes everything when it is flushed. */
    private static final class InstantSink implements BlockSink {
        private final BlockRequest[] taken = new BlockRequest[1024];
        private int count;

        @Override
        public boolean submit(BlockRequest request) {
            request.submitted();
            taken[count++] = request;
            return true;
        }

        @Override
        public void flush() {
            int flushed = count;
            count = 0;
            for (int i = 0; i < flushed; i++) {
                taken[i].complete((int) taken[i].lengthBytes());
            }
        }

        @Override
        public int capacity() {
            return taken.length;
        }

        @Override
        public int inFlight() {
            return count;
        }

        @Override
        public void close() {}
    }

    private record InstantBackend(BlockGeometry geometry) implements BlockBackend {
        @Override
        public String name() {
            return "instant";
        }

        @Override
        public BlockSink openSink(IoLoop loop) {
            return new InstantSink();
        }

        @Override
        public void close() {}
    }

    public static void main(String[] args) throws IOException {
        int depth = Integer.parseInt(args[0]);
        int seconds = Integer.parseInt(args[1]);
        BlockGeometry geometry = new BlockGeometry(1L << 30, 512, 4096, 0, false, true, true);
        QueueShape shape = QueueShape.of(256, depth, BLOCK_BYTES);
        long features = DeviceSession.SUPPORTED_FEATURES;
        try (ManualLoop loop = new ManualLoop();
                DriverMemory memory = DriverMemory.ofOneRegion(shape.memoryBytes());
                DriverQueue driver = DriverQueue.create(0, shape, features, memory.regions().getFirst());
                CallBatch calls = new CallBatch(loop);
                BlockPipeline pipeline = BlockPipeline.builder().backend(new InstantBackend(geometry)).build()) {
            dev.sluice.virtio.driver.MemoryRegion region = memory.regions().getFirst();
            GuestMemory map = new GuestMemory(List.of(new MemoryRegion(region.guestAddress(), region.userAddress(), region.memory())));
            VirtioBlkDevice device = new VirtioBlkDevice(() -> geometry, 1, 126);
            device.accept(device.offered() & (VirtioFeatures.VERSION_1 | VirtioFeatures.EVENT_IDX | VirtioFeatures.INDIRECT_DESC | VirtioFeatures.BLK_FLUSH));
            RingAddresses addresses = new RingAddresses(
                    region.userAddress() + driver.ring().descOffset(),
                    region.userAddress() + driver.ring().availOffset(),
                    region.userAddress() + driver.ring().usedOffset());
            VirtioBlkQueue queue = new VirtioBlkQueue(
                    loop, 0, device, DeviceRing.locate(map, addresses, 0, 256, 0, device.accepted()), map, calls, PipelineObserver.NONE);
            QueueSource source = new QueueSource(loop, queue);
            queue.eventFds(driver.callFd(), VirtioBlkQueue.NO_FD);
            queue.start(source::kicked);
            pipeline.connect(source);
            queue.enabled(true);
            DeviceLoad load = new DeviceLoad();
            for (int second = 0; second < seconds; second++) {
                measure(load, driver, source, loop);
            }
            source.stop(queue::close);
            int _ = loop.tickUntilIdle();
        }
    }

    private static void measure(DeviceLoad load, DriverQueue driver, QueueSource source, ManualLoop loop) {
        long before = load.completed;
        long heap = allocatedBytes();
        long start = System.nanoTime();
        long sector = 0;
        do {
            for (int i = 0; i < 256; i++) {
                while (driver.submit(BlkRequest.T_IN, sector, BLOCK_BYTES) >= 0) {
                    sector = (sector + 8) & 0xFFFFF;
                }
                boolean _ = driver.publish();
                source.kicked();
                loop.tick();
                int _ = driver.poll(load);
            }
        } while (System.nanoTime() - start < 1_000_000_000L);
        double requests = load.completed - before;
        System.out.printf("%.1f ns, %.3f heap bytes a request%n", (System.nanoTime() - start) / requests, (allocatedBytes() - heap) / requests);
    }

    private static long allocatedBytes() {
        return ((com.sun.management.ThreadMXBean) ManagementFactory.getThreadMXBean()).getCurrentThreadAllocatedBytes();
    }
}
