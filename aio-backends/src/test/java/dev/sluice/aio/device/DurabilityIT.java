package dev.sluice.aio.device;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.device.BlockDevice;
import dev.sluice.device.BlockDeviceOptions;
import dev.sluice.pipeline.testing.LoopDevice;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * What is durable, by what reaches the device: a loop device counts the flushes of its write cache. Reading back proves nothing, as the page cache
 * has it anyway.
 */
class DurabilityIT {
    private static final Duration PATIENCE = Duration.ofMinutes(1);
    private static final int BLOCK = 4096;
    private static final int SIZE = 8 << 20;
    private static final int ROUNDS = 5;

    record Setup(String backend, boolean direct) {
        @Override
        public String toString() {
            return backend + (direct ? " direct" : " buffered");
        }
    }

    private Path file = Path.of("/");

    static Stream<Setup> everySetup() {
        return Stream.of("io_uring", "linux-aio", "nio").flatMap(backend -> Stream.of(new Setup(backend, true), new Setup(backend, false)));
    }

    @BeforeEach
    void makeFile() throws IOException {
        file = Files.createTempFile(Files.createDirectories(Path.of("target")), "sluice-durable", ".raw");
        Files.write(file, new byte[SIZE]);
    }

    @AfterEach
    void deleteFile() throws IOException {
        Files.delete(file);
    }

    private static BlockDevice open(LoopDevice loop, Setup setup, boolean writeThrough) throws IOException {
        return BlockDevice.open(loop.path(), BlockDeviceOptions.builder().backend(setup.backend).direct(setup.direct).writeThrough(writeThrough).build());
    }

    @FunctionalInterface
    private interface Request {
        void make(long offset);
    }

    private static void assertFlushes(LoopDevice loop, String what, int perRequest, Request request) throws IOException {
        for (int round = 0; round < ROUNDS; round++) {
            long before = loop.flushes();
            request.make((long) round * 16 * BLOCK);
            assertThat(loop.flushes() - before).as("flushes of the device for one %s", what).isEqualTo(perRequest);
        }
    }

    private static void makeEach(LoopDevice loop, BlockDevice disk, int perRequest) throws IOException {
        assertFlushes(loop, "WRITE of blocks", perRequest,
                at -> assertThat(disk.write(at, ByteBuffer.allocateDirect(2 * BLOCK).alignedSlice(BLOCK)).block(PATIENCE)).isPositive());
        assertFlushes(loop, "WRITE of a sector", perRequest,
                at -> assertThat(disk.write(at + 512, ByteBuffer.allocateDirect(512)).block(PATIENCE)).isEqualTo(512));
        assertFlushes(loop, "WRITE of odd addresses", perRequest,
                at -> assertThat(disk.write(at, ByteBuffer.allocateDirect(BLOCK + 1).slice(1, BLOCK)).block(PATIENCE)).isEqualTo(BLOCK));
        assertFlushes(loop, "WRITE_ZEROES", perRequest, at -> assertThat(disk.writeZeroes(at, 4 * BLOCK, false).block(PATIENCE)).isNull());
        assertFlushes(loop, "WRITE_ZEROES that may unmap", perRequest, at -> assertThat(disk.writeZeroes(at, 4 * BLOCK, true).block(PATIENCE)).isNull());
        assertFlushes(loop, "WRITE_ZEROES of parts of blocks", perRequest,
                at -> assertThat(disk.writeZeroes(at + 512, 4 * BLOCK, false).block(PATIENCE)).isNull());
        if (disk.geometry().discard()) {
            assertFlushes(loop, "DISCARD", perRequest, at -> assertThat(disk.discard(at, 4 * BLOCK).block(PATIENCE)).isNull());
        }
    }

    @ParameterizedTest
    @MethodSource("everySetup")
    void shouldFlushTheDeviceOnceForEachDurableRequest(Setup setup) throws IOException {
        try (LoopDevice loop = LoopDevice.attach(file, "--sector-size", "4096");
                BlockDevice disk = open(loop, setup, true)) {
            makeEach(loop, disk, 1);
        }
    }

    @ParameterizedTest
    @MethodSource("everySetup")
    void shouldFlushTheDeviceForAFlushAlone(Setup setup) throws IOException {
        try (LoopDevice loop = LoopDevice.attach(file, "--sector-size", "4096");
                BlockDevice disk = open(loop, setup, false)) {
            makeEach(loop, disk, 0);
            assertFlushes(loop, "FLUSH", 1, _ -> assertThat(disk.flush().block(PATIENCE)).isNull());
        }
    }
}
