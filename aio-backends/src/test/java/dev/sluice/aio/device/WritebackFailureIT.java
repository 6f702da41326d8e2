package dev.sluice.aio.device;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sluice.device.BlockDevice;
import dev.sluice.device.BlockDeviceOptions;
import dev.sluice.device.BlockIoException;
import dev.sluice.pipeline.testing.LoopDevice;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Writeback that fails: the image is a loop device whose file lies on a file system that is full. Writes into the page cache succeed; their sync
 * fails, once, as the kernel reports it to each open file once.
 */
class WritebackFailureIT {
    private static final Duration PATIENCE = Duration.ofMinutes(2);
    private static final int LOOPS = 2;
    private static final int FLUSHES = 16;
    private static final int PIECE = 1 << 20;
    private static final int FULL_AFTER_BYTES = 4 << 20;
    private static final long DISK_BYTES = 64 << 20;
    private static final int SECTOR = 512;

    /** Direct: what is not made of whole blocks goes through the page cache all the same. */
    record Setup(String backend, boolean direct) {
        @Override
        public String toString() {
            return backend + (direct ? " beside O_DIRECT" : " buffered");
        }
    }

    private Path full = Path.of("/");

    static Stream<Setup> everySetup() {
        return Stream.of("io_uring", "linux-aio", "nio").flatMap(backend -> Stream.of(new Setup(backend, false), new Setup(backend, true)));
    }

    @BeforeEach
    void mount() throws IOException {
        full = Files.createTempDirectory("sluice-full");
        LoopDevice.require("a full file system", List.of("mount", "-t", "tmpfs", "-o", "size=" + FULL_AFTER_BYTES, "sluice-full", full.toString()));
        LoopDevice.sparse(full.resolve("disk.img"), DISK_BYTES);
    }

    @AfterEach
    void unmount() throws IOException {
        LoopDevice.require("a full file system", List.of("umount", full.toString()));
        Files.delete(full);
    }

    private static BlockDevice open(LoopDevice loop, Setup setup) throws IOException {
        return BlockDevice.open(loop.path(), BlockDeviceOptions.builder().backend(setup.backend).direct(setup.direct).loops(LOOPS).build());
    }

    /** Writes more than the file system has room for, into the page cache. */
    private static void fillUp(BlockDevice disk, Setup setup) {
        int length = setup.direct ? SECTOR : PIECE;
        long step = setup.direct ? 4096 : PIECE;
        ByteBuffer data = ByteBuffer.allocateDirect(length);
        for (long at = 0; at < 4L * FULL_AFTER_BYTES; at += step) {
            assertThat(disk.write(at, data.clear()).block(PATIENCE)).isEqualTo(length);
        }
    }

    @ParameterizedTest
    @MethodSource("everySetup")
    void shouldFailEveryFlushOnceWritebackHasFailed(Setup setup) throws Exception {
        try (LoopDevice loop = LoopDevice.attach(full.resolve("disk.img"), "--sector-size", "4096");
                BlockDevice disk = open(loop, setup)) {
            fillUp(disk, setup);
            List<CompletableFuture<Void>> together = new ArrayList<>();
            for (int i = 0; i < FLUSHES; i++) {
                // Of a thread of its own: threads are spread over the loops.
                together.add(CompletableFuture.runAsync(() -> disk.flush().block(PATIENCE), command -> Thread.ofPlatform().daemon().start(command)));
            }
            for (CompletableFuture<Void> flush : together) {
                assertThatThrownBy(() -> flush.get(PATIENCE.toSeconds(), TimeUnit.SECONDS))
                        .as("one of %d simultaneous flushes on %d loops", FLUSHES, LOOPS)
                        .isInstanceOf(ExecutionException.class)
                        .hasRootCauseInstanceOf(BlockIoException.class);
            }
            for (int i = 0; i < 2 * LOOPS; i++) {
                assertThatThrownBy(() -> disk.flush().block(PATIENCE)).as("a later flush").hasMessageContaining("EIO");
            }
            assertThat(disk.read(0, ByteBuffer.allocateDirect(SECTOR)).block(PATIENCE)).as("reads go on").isEqualTo(SECTOR);
        }
        Files.delete(full.resolve("disk.img"));
        LoopDevice.sparse(full.resolve("disk.img"), DISK_BYTES);
        try (LoopDevice loop = LoopDevice.attach(full.resolve("disk.img"), "--sector-size", "4096");
                BlockDevice disk = open(loop, setup)) {
            assertThat(disk.write(0, ByteBuffer.allocateDirect(4096)).block(PATIENCE)).isEqualTo(4096);
            disk.flush().block(PATIENCE);
        }
    }

    @ParameterizedTest
    @MethodSource("everySetup")
    void shouldFailEveryDurableWriteOnceWritebackHasFailed(Setup setup) throws Exception {
        BlockDeviceOptions options = BlockDeviceOptions.builder().backend(setup.backend).direct(setup.direct).loops(LOOPS).writeThrough(true).build();
        try (LoopDevice loop = LoopDevice.attach(full.resolve("disk.img"), "--sector-size", "4096");
                BlockDevice disk = BlockDevice.open(loop.path(), options)) {
            int length = setup.direct ? SECTOR : PIECE;
            List<CompletableFuture<Integer>> writes = new ArrayList<>();
            for (int i = 0; i < 4 * FULL_AFTER_BYTES / PIECE; i++) {
                ByteBuffer data = ByteBuffer.allocateDirect(length);
                for (int at = 0; setup.direct && at < PIECE - 4096; at += 4096) {
                    writes.add(disk.write((long) i * PIECE + at, data.duplicate()).toFuture());
                }
                writes.add(disk.write((long) i * PIECE + (setup.direct ? PIECE - 4096 : 0), data).toFuture());
            }
            long failed = 0;
            for (CompletableFuture<Integer> write : writes) {
                try {
                    var _ = write.get(PATIENCE.toSeconds(), TimeUnit.SECONDS);
                } catch (ExecutionException noRoom) {
                    failed++;
                }
            }
            assertThat(failed).as("failed of %d durable writes to a file system with room for a quarter", writes.size()).isPositive();
            assertThatThrownBy(() -> disk.write(0, ByteBuffer.allocateDirect(length)).block(PATIENCE)).hasMessageContaining("EIO");
            assertThatThrownBy(() -> disk.flush().block(PATIENCE)).hasMessageContaining("EIO");
        }
    }
}
