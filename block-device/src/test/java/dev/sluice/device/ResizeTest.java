package dev.sluice.device;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.pipeline.BlockBackend;
import dev.sluice.pipeline.BlockGeometry;
import dev.sluice.pipeline.BlockSink;
import dev.sluice.pipeline.BlockStatus;
import dev.sluice.pipeline.IoLoop;
import dev.sluice.pipeline.ResizableBackend;
import dev.sluice.pipeline.testing.ManualLoop;
import dev.sluice.pipeline.testing.SimulatedBackend;
import java.nio.ByteBuffer;
import java.util.List;
import org.junit.jupiter.api.Test;

class ResizeTest {

    /** Shows less of a simulated disk than there is, until it is told to show more. */
    private static final class Growing implements ResizableBackend {
        private final SimulatedBackend disk;
        private volatile BlockGeometry geometry = sized(1 << 20);

        Growing(SimulatedBackend disk) {
            this.disk = disk;
        }

        private static BlockGeometry sized(long bytes) {
            return new BlockGeometry(bytes, 512, 4096, 0, false, true, true);
        }

        @Override
        public void resize(long sizeBytes) {
            geometry = sized(sizeBytes);
        }

        @Override
        public String name() {
            return "growing";
        }

        @Override
        public BlockGeometry geometry() {
            return geometry;
        }

        @Override
        public BlockSink openSink(IoLoop loop) {
            return disk.openSink(loop);
        }

        @Override
        public void close() {
            disk.close();
        }
    }

    @Test
    void shouldResizeWhereTheBackendCan() {
        ManualLoop loop = new ManualLoop();
        try (BlockBackend backend = new Growing(SimulatedBackend.ofSize(2 << 20))) {
            BlockDevice device = BlockDevice.open(backend, List.of(loop), BlockDeviceOptions.defaults());
            DeviceRig.Outcome<BlockGeometry> resized = DeviceRig.start(device.resize(2 << 20));
            resized.await();
            assertThat(resized.values.getFirst().sizeBytes()).isEqualTo(2 << 20);
            assertThat(device.sizeBytes()).isEqualTo(2 << 20);
            DeviceRig.Outcome<Integer> behind = DeviceRig.start(device.read(1 << 20, ByteBuffer.allocateDirect(512)));
            loop.tickUntilIdle();
            behind.assertValue(512);
            DeviceRig.start(device.resize(1000)).failure(IllegalArgumentException.class);
            DeviceRig.Outcome<Void> closed = DeviceRig.start(device.shutdown());
            loop.tickUntilIdle();
            closed.await();
            loop.close();
        }
    }

    @Test
    void shouldSayWhereItCannot() {
        try (DeviceRig rig = new DeviceRig()) {
            BlockIoException refusal = DeviceRig.start(rig.device.resize(1 << 20)).failure(BlockIoException.class);
            assertThat(refusal.status()).isEqualTo(BlockStatus.UNSUPP);
            assertThat(refusal).hasMessageContaining("simulated");
        }
    }
}
