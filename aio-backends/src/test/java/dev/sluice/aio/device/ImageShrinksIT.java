package dev.sluice.aio.device;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

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
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** An image that somebody truncates, or a device that shrinks, while it is served. */
class ImageShrinksIT {
    private static final Duration PATIENCE = Duration.ofMinutes(1);
    private static final int SIZE = 4 << 20;
    private static final int HALF = SIZE / 2;
    private static final int BLOCK = 4096;

    /** A backend, direct or not, on a disk or in memory. */
    record Setup(String backend, boolean direct, String directory) {
        @Override
        public String toString() {
            return backend + (direct ? " direct" : " buffered") + ", " + directory;
        }
    }

    private Path image = Path.of("/");

    static Stream<Setup> everySetup() {
        Stream<Setup> everywhere = Stream.of("io_uring", "linux-aio", "nio")
                .flatMap(backend -> Stream.of(new Setup(backend, true, "target"), new Setup(backend, false, "target"), new Setup(backend, true, "/dev/shm")));
        return Stream.concat(everywhere, Stream.of(new Setup("mapped", true, "/dev/shm")));
    }

    @AfterEach
    void deleteImage() throws IOException {
        Files.deleteIfExists(image);
    }

    private Path image(String directory) throws IOException {
        image = Files.createTempFile(Files.createDirectories(Path.of(directory)), "sluice-shrinks", ".raw");
        Files.write(image, new byte[SIZE]);
        return image;
    }

    private static BlockDevice open(Path path, String backend, boolean direct) throws IOException {
        return BlockDevice.open(path, BlockDeviceOptions.builder().backend(backend).direct(direct).build());
    }

    private static boolean reads(BlockDevice disk, long offset) {
        try {
            assertThat(disk.read(offset, ByteBuffer.allocateDirect(BLOCK)).block(PATIENCE)).isEqualTo(BLOCK);
            return true;
        } catch (RuntimeException failed) {
            assertThat(failed).hasMessageContaining("EIO");
            return false;
        }
    }

    private static void eventuallyReads(BlockDevice disk, long offset, boolean expected) throws InterruptedException {
        long end = System.nanoTime() + PATIENCE.toNanos();
        while (reads(disk, offset) != expected) {
            assertThat(System.nanoTime()).as("reads at %d never %s", offset, expected ? "succeeded" : "failed").isLessThan(end);
            Thread.sleep(50);
        }
    }

    @ParameterizedTest
    @MethodSource("everySetup")
    void shouldFailWhatLiesBeyondTheNewEndUntilTheImageIsWholeAgain(Setup setup) throws Exception {
        Path path = image(setup.directory);
        try (BlockDevice disk = open(path, setup.backend, setup.direct)) {
            assertThat(reads(disk, SIZE - BLOCK)).isTrue();
            LoopDevice.sparse(path, HALF);
            // At once: a read finds the end of the file.
            assertThat(reads(disk, HALF)).isFalse();
            assertThatThrownBy(() -> disk.write(HALF, ByteBuffer.allocateDirect(BLOCK)).block(PATIENCE)).hasMessageContaining("EIO");
            assertThatThrownBy(() -> disk.write(HALF - BLOCK, ByteBuffer.allocateDirect(2 * BLOCK)).block(PATIENCE)).hasMessageContaining("EIO");
            assertThatThrownBy(() -> disk.writeZeroes(HALF, BLOCK, true).block(PATIENCE)).hasMessageContaining("EIO");
            assertThat(Files.size(path)).as("nothing extends the file").isEqualTo(HALF);
            assertThat(reads(disk, HALF - BLOCK)).as("the rest is served").isTrue();
            assertThat(disk.write(0, ByteBuffer.allocateDirect(BLOCK)).block(PATIENCE)).isEqualTo(BLOCK);
            disk.flush().block(PATIENCE);
            LoopDevice.sparse(path, SIZE);
            eventuallyReads(disk, SIZE - BLOCK, true);
            assertThat(disk.write(HALF, ByteBuffer.allocateDirect(BLOCK)).block(PATIENCE)).isEqualTo(BLOCK);
        }
    }

    /** No request finds the end of the file: the look that is had each second does. */
    @ParameterizedTest
    @MethodSource("everySetup")
    void shouldNoticeByItselfBeforeAWriteExtendsTheFile(Setup setup) throws Exception {
        Path path = image(setup.directory);
        try (BlockDevice disk = open(path, setup.backend, setup.direct)) {
            assertThat(disk.write(HALF, ByteBuffer.allocateDirect(BLOCK)).block(PATIENCE)).isEqualTo(BLOCK);
            LoopDevice.sparse(path, HALF);
            long end = System.nanoTime() + PATIENCE.toNanos();
            while (disk.health().missingBytes() == 0) {
                assertThat(System.nanoTime()).as("it is never noticed").isLessThan(end);
                Thread.sleep(50);
            }
            assertThat(disk.health().missingBytes()).isEqualTo(SIZE - HALF);
            assertThatThrownBy(() -> disk.write(HALF, ByteBuffer.allocateDirect(BLOCK)).block(PATIENCE)).hasMessageContaining("EIO");
            assertThat(Files.size(path)).isEqualTo(HALF);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"io_uring", "linux-aio", "nio"})
    void shouldNoticeThatABlockDeviceShrank(String backend) throws Exception {
        Path path = image("target");
        try (LoopDevice loop = LoopDevice.attach(path);
                BlockDevice disk = open(loop.path(), backend, true)) {
            assertThat(reads(disk, SIZE - BLOCK)).isTrue();
            LoopDevice.sparse(path, HALF);
            loop.followFile();
            eventuallyReads(disk, SIZE - BLOCK, false);
            assertThatThrownBy(() -> disk.write(SIZE - BLOCK, ByteBuffer.allocateDirect(BLOCK)).block(PATIENCE)).hasMessageContaining("EIO");
            assertThat(reads(disk, HALF - BLOCK)).isTrue();
            LoopDevice.sparse(path, SIZE);
            loop.followFile();
            eventuallyReads(disk, SIZE - BLOCK, true);
        }
    }
}
