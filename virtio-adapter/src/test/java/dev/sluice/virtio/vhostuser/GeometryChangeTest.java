package dev.sluice.virtio.vhostuser;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sluice.pipeline.BackendHealth;
import dev.sluice.pipeline.BlockBackend;
import dev.sluice.pipeline.BlockGeometry;
import dev.sluice.pipeline.BlockPipeline;
import dev.sluice.pipeline.BlockSink;
import dev.sluice.pipeline.IoLoop;
import dev.sluice.pipeline.testing.Patience;
import dev.sluice.pipeline.testing.PollLoop;
import dev.sluice.pipeline.testing.SimulatedBackend;
import dev.sluice.virtio.driver.BlockDriver;
import dev.sluice.virtio.driver.VhostUserFrontend;
import dev.sluice.virtio.layout.VhostUser;
import dev.sluice.virtio.layout.VirtioBlkConfig;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A disk whose size changes while it is served: the configuration space and the requests after that follow, without a new connection. */
final class GeometryChangeTest {
    private static final int SMALL_BYTES = 1 << 20;
    private static final int LARGE_BYTES = 2 << 20;

    @TempDir
    private Path directory;

    private final SimulatedBackend disk = SimulatedBackend.ofSize(LARGE_BYTES);
    private volatile BlockGeometry geometry = ofSize(SMALL_BYTES);

    private final BlockBackend backend = new BlockBackend() {
        @Override
        public String name() {
            return "resized";
        }

        @Override
        public BlockGeometry geometry() {
            return geometry;
        }

        @Override
        public BackendHealth health() {
            return disk.health();
        }

        @Override
        public BlockSink openSink(IoLoop loop) {
            return disk.openSink(loop);
        }

        @Override
        public void close() {
            disk.close();
        }
    };

    private static BlockGeometry ofSize(long bytes) {
        return new BlockGeometry(bytes, 512, 4096, 0, false, true, true);
    }

    private static long capacityBytes(VhostUserFrontend frontend) throws IOException {
        return 512 * VirtioBlkConfig.u64(frontend.config(VirtioBlkConfig.CAPACITY, Long.BYTES), VirtioBlkConfig.CAPACITY);
    }

    @Test
    void shouldShowAndValidateAgainstTheSizeOfTheMoment() throws Exception {
        Path path = directory.resolve("s");
        try (IoLoop loop = PollLoop.start("resized");
                BlockPipeline pipeline = BlockPipeline.builder().backend(backend).build()) {
            try (VhostUserServer server = VhostUserServer.builder().socketPath(path).pipeline(pipeline).loops(List.of(loop)).build()) {
                server.start();
                try (VhostUserFrontend frontend = VhostUserFrontend.connect(path.toString(), Duration.ofSeconds(Patience.seconds(20)))) {
                    frontend.setProtocolFeatures(VhostUser.PROTOCOL_F_CONFIG);
                    assertThat(capacityBytes(frontend)).isEqualTo(SMALL_BYTES);
                    geometry = ofSize(LARGE_BYTES);
                    assertThat(capacityBytes(frontend)).isEqualTo(LARGE_BYTES);
                }
                geometry = ofSize(SMALL_BYTES);
                MemorySegment block = MemorySegment.ofArray(new byte[4096]);
                try (BlockDriver driver = BlockDriver.open(path.toString(), ServerFixture.options(1))) {
                    assertThatThrownBy(() -> driver.disk(0).write(SMALL_BYTES, block)).hasMessageContaining("failed: IOERR");
                    geometry = ofSize(LARGE_BYTES);
                    driver.disk(0).write(SMALL_BYTES, block);
                    geometry = ofSize(SMALL_BYTES);
                    assertThatThrownBy(() -> driver.disk(0).discard(SMALL_BYTES / 512, 8)).hasMessageContaining("failed: IOERR");
                }
            }
        }
        disk.close();
    }
}
