package dev.sluice.aio;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.device.BlockDevice;
import dev.sluice.device.BlockDeviceOptions;
import dev.sluice.pipeline.testing.Patience;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** An image beyond 4 GiB, on every backend: no offset is cut to 31 or 32 bits on its way to the kernel. */
@Timeout(120)
class LargeOffsetTest {
    private static final Duration PATIENCE = Duration.ofSeconds(Patience.seconds(60));
    private static final long GIB = 1L << 30;
    private static final long SIZE = 9 * GIB;
    private static final int BLOCK = 4096;

    @ParameterizedTest
    @CsvSource({
        "io_uring, target, true", "io_uring, target, false", "io_uring, /dev/shm, true",
        "linux-aio, target, true", "linux-aio, target, false", "linux-aio, /dev/shm, true",
        "nio, target, true", "nio, target, false", "nio, /dev/shm, true"
    })
    void shouldReachEachPlaceOfALargeImageAndNoOther(String backend, Path directory, boolean direct) throws IOException {
        Files.createDirectories(directory);
        Path image = Files.createTempFile(directory, "sluice-large", ".raw");
        try (RandomAccessFile file = new RandomAccessFile(image.toFile(), "rw")) {
            file.setLength(SIZE);
            try (BlockDevice disk = BlockDevice.open(image, BlockDeviceOptions.builder().backend(backend).direct(direct).build())) {
                for (long offset : new long[] {2 * GIB - BLOCK, 2 * GIB, 4 * GIB - BLOCK, 4 * GIB + 7 * BLOCK, 8 * GIB + 3 * BLOCK, SIZE - 2 * BLOCK}) {
                    check(disk, file, offset);
                }
            }
        } finally {
            Files.delete(image);
        }
    }

    private static void check(BlockDevice disk, RandomAccessFile file, long offset) throws IOException {
        ByteBuffer one = random(2 * BLOCK, offset);
        assertThat(disk.write(offset, one.duplicate()).block(PATIENCE)).isEqualTo(2 * BLOCK);
        disk.flush().block(PATIENCE);
        assertThat(inFile(file, offset)).as("at %d", offset).isEqualTo(one);
        for (int bits : new int[] {31, 32}) {
            long cut = offset & ((1L << bits) - 1);
            assertThat(inFile(file, cut)).as("at %d, which are %d bits of %d", cut, bits, offset)
                    .isEqualTo(cut == offset ? one : ByteBuffer.allocate(2 * BLOCK));
        }
        ByteBuffer read = random(2 * BLOCK, 0);
        assertThat(disk.read(offset, read).block(PATIENCE)).isEqualTo(2 * BLOCK);
        assertThat(read.rewind()).isEqualTo(one);

        ByteBuffer two = random(2 * BLOCK, -offset);
        List<ByteBuffer> parts = List.of(two.slice(0, BLOCK), two.slice(BLOCK, BLOCK));
        assertThat(disk.write(offset, parts).block(PATIENCE)).isEqualTo(2 * BLOCK);
        disk.flush().block(PATIENCE);
        assertThat(inFile(file, offset)).as("at %d, of two buffers", offset).isEqualTo(two);
        ByteBuffer split = random(2 * BLOCK, 0);
        assertThat(disk.read(offset, List.of(split.slice(0, BLOCK), split.slice(BLOCK, BLOCK))).block(PATIENCE)).isEqualTo(2 * BLOCK);
        assertThat(split).isEqualTo(two);

        disk.writeZeroes(offset, 2 * BLOCK, false).then(disk.flush()).block(PATIENCE);
        assertThat(inFile(file, offset)).as("zeroed at %d", offset).isEqualTo(ByteBuffer.allocate(2 * BLOCK));
    }

    private static ByteBuffer random(int bytes, long seed) {
        byte[] made = new byte[bytes];
        new SplittableRandom(seed).nextBytes(made);
        return ByteBuffer.allocateDirect(bytes + BLOCK).alignedSlice(BLOCK).slice(0, bytes).put(made).flip();
    }

    private static ByteBuffer inFile(RandomAccessFile file, long offset) throws IOException {
        byte[] found = new byte[2 * BLOCK];
        file.seek(offset);
        file.readFully(found);
        return ByteBuffer.wrap(found);
    }
}
