package dev.sluice.aio.uring;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.sluice.aio.sink.CompletionSeam;
import dev.sluice.device.BlockDevice;
import dev.sluice.device.BlockDeviceOptions;
import dev.sluice.linux.Errno;
import dev.sluice.pipeline.BackendOptions;
import dev.sluice.pipeline.BlockGeometry;
import dev.sluice.pipeline.BlockOp;
import dev.sluice.pipeline.testing.Patience;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A block device of 4096-byte blocks (a loop device), asked for 512 bytes too. */
class BlockDeviceTest {
    private static final int SIZE = 4 << 20;
    private static final int BLOCK = 4096;
    private static final Duration PATIENCE = Duration.ofSeconds(Patience.seconds(60));

    private final Random random = new Random(7);
    private Path file = Path.of("/");
    private String device = "";
    private byte[] content = new byte[SIZE];

    private record Outcome(int exit, String output) {}

    private static Outcome run(String... command) throws IOException, InterruptedException {
        try {
            Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
            String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8).strip();
            assertThat(process.waitFor(Patience.seconds(30), TimeUnit.SECONDS)).isTrue();
            return new Outcome(process.exitValue(), output);
        } catch (IOException notInstalled) {
            return new Outcome(-1, String.valueOf(notInstalled.getMessage()));
        }
    }

    @BeforeEach
    void attach() throws IOException, InterruptedException {
        file = Files.createTempFile(Path.of("target"), "sluice-device", ".raw");
        random.nextBytes(content);
        Files.write(file, content);
        Outcome attached = run("losetup", "-f", "--show", "--sector-size", Integer.toString(BLOCK), "--direct-io=on", file.toString());
        if (attached.exit != 0) {
            Files.delete(file);
            System.out.println("SKIPPED: a block device: losetup needs root and loop devices: " + attached.output);
        }
        assumeTrue(attached.exit == 0, "SKIPPED: losetup needs root and loop devices");
        device = attached.output;
        // A loop device stays read-only for whoever attaches it next, where somebody has made it so.
        assertThat(run("blockdev", "--setrw", device).exit).isZero();
    }

    @AfterEach
    void detach() throws IOException, InterruptedException {
        if (!device.isEmpty()) {
            assertThat(run("losetup", "-d", device).exit).isZero();
            Files.delete(file);
        }
    }

    @Test
    void shouldTakeItsGeometryFromTheDevice() throws IOException {
        try (SinkFixture fixture = new SinkFixture(BackendOptions.of(Path.of(device)))) {
            BlockGeometry geometry = fixture.backend.geometry();
            assertThat(geometry.sizeBytes()).isEqualTo(SIZE);
            assertThat(geometry.logicalBlockBytes()).isEqualTo(BLOCK);
            assertThat(geometry.physicalBlockBytes()).isGreaterThanOrEqualTo(BLOCK);
            assertThat(geometry.discard()).isTrue();
            assertThat(geometry.writeZeroes()).isTrue();
        }
    }

    @Test
    void shouldMixWholeAndPartialBlocksCoherently() throws IOException {
        try (SinkFixture fixture = new SinkFixture(BackendOptions.of(Path.of(device)))) {
            for (int round = 0; round < 50; round++) {
                writeAndCheck(fixture, 512 * (1 + random.nextInt(20)), 512L * random.nextInt(64));
                writeAndCheck(fixture, BLOCK * (1 + random.nextInt(4)), (long) BLOCK * random.nextInt(16));
            }
        }
        try (RandomAccessFile reader = new RandomAccessFile(file.toFile(), "r")) {
            byte[] onDisk = new byte[SIZE];
            reader.readFully(onDisk);
            assertThat(onDisk).isEqualTo(content);
        }
    }

    private void writeAndCheck(SinkFixture fixture, int length, long offset) {
        byte[] written = new byte[length];
        random.nextBytes(written);
        try (TestRequest write = fixture.make(0, length)) {
            assertThat(fixture.run(write.fill(written).as(BlockOp.WRITE, offset).durably())).isEqualTo(length);
        }
        System.arraycopy(written, 0, content, (int) offset, length);
        int from = (int) offset / BLOCK * BLOCK;
        assertThat(fixture.read(from, 4 * BLOCK)).isEqualTo(Arrays.copyOfRange(content, from, from + 4 * BLOCK));
        assertThat(fixture.read(from + 512, 1024)).isEqualTo(Arrays.copyOfRange(content, from + 512, from + 1536));
    }

    @Test
    void shouldDiscardAndZeroRanges() throws IOException {
        try (SinkFixture fixture = new SinkFixture(BackendOptions.of(Path.of(device)));
                TestRequest discard = fixture.make(0);
                TestRequest zeroes = fixture.make(0);
                TestRequest flush = fixture.make(0)) {
            assertThat(fixture.run(discard.as(BlockOp.DISCARD, BLOCK, 4 * BLOCK).durably())).isZero();
            assertThat(fixture.run(zeroes.as(BlockOp.WRITE_ZEROES, 16 * BLOCK, 4 * BLOCK))).isZero();
            assertThat(fixture.run(flush.as(BlockOp.FLUSH, 0))).isZero();
            assertThat(fixture.read(BLOCK, 4 * BLOCK)).containsOnly(0);
            assertThat(fixture.read(16 * BLOCK, 4 * BLOCK)).containsOnly(0);
            assertThat(fixture.read(0, BLOCK)).isEqualTo(Arrays.copyOf(content, BLOCK));
        }
    }

    /**
     * Sectors of 512 bytes on a device of larger blocks: DISCARD leaves parts of blocks alone, WRITE_ZEROES zeroes them too, and neither touches
     * anything else.
     */
    @ParameterizedTest
    @ValueSource(strings = {"io_uring", "linux-aio", "nio"})
    void shouldDiscardWholeBlocksAndZeroPartsOfThem(String backend) throws IOException {
        for (boolean durable : new boolean[] {false, true}) {
            BlockDeviceOptions options = BlockDeviceOptions.builder().backend(backend).writeThrough(durable).build();
            try (BlockDevice disk = BlockDevice.open(Path.of(device), options)) {
                for (int round = 0; round < 150; round++) {
                    int length = 512 * (1 + random.nextInt(40));
                    int offset = 512 * random.nextInt((SIZE - length) / 512);
                    if (disk.geometry().discard() && random.nextInt(3) == 0) {
                        assertThat(disk.discard(offset, length).block(PATIENCE)).isNull();
                        int from = (offset + BLOCK - 1) / BLOCK * BLOCK;
                        int to = (offset + length) / BLOCK * BLOCK;
                        // A loop device punches a hole, which reads as zeroes.
                        Arrays.fill(content, Math.min(from, to), to, (byte) 0);
                    } else {
                        assertThat(disk.writeZeroes(offset, length, random.nextBoolean()).block(PATIENCE)).isNull();
                        Arrays.fill(content, offset, offset + length, (byte) 0);
                    }
                    int at = Math.max(0, offset - BLOCK);
                    int around = Math.min(SIZE - at, length + 2 * BLOCK);
                    ByteBuffer read = ByteBuffer.allocateDirect(around);
                    assertThat(disk.read(at, read).block(PATIENCE)).isEqualTo(around);
                    byte[] found = new byte[around];
                    read.flip().get(found);
                    assertThat(found).as("around %d bytes at %d, round %d", length, offset, round).isEqualTo(Arrays.copyOfRange(content, at, at + around));
                    writeAgain(disk, at, around);
                }
            }
        }
        try (RandomAccessFile reader = new RandomAccessFile(file.toFile(), "r")) {
            byte[] onDisk = new byte[SIZE];
            reader.readFully(onDisk);
            assertThat(onDisk).isEqualTo(content);
        }
    }

    /** So that there is something to zero the next time. */
    private void writeAgain(BlockDevice disk, int offset, int length) {
        byte[] bytes = new byte[length];
        random.nextBytes(bytes);
        System.arraycopy(bytes, 0, content, offset, length);
        assertThat(disk.write(offset, ByteBuffer.allocateDirect(length).put(bytes).flip()).block(PATIENCE)).isEqualTo(length);
    }

    /** Where neither punching nor zeroing of ranges is there, all of it is written. */
    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void shouldZeroPartsOfBlocksWhereTheKernelHasNoRanges(boolean unmapping) throws IOException {
        CompletionSeam none = (call, result) -> call == CompletionSeam.Call.ALLOCATE ? -Errno.EOPNOTSUPP : result;
        try (SinkFixture fixture = new SinkFixture(BackendOptions.of(Path.of(device)), none, IoUringLoopOptions.DEFAULT)) {
            for (int round = 0; round < 50; round++) {
                int length = 512 * (1 + random.nextInt(40));
                int offset = 512 * random.nextInt((SIZE - length) / 512);
                try (TestRequest zeroes = fixture.make(0)) {
                    TestRequest asked = zeroes.as(BlockOp.WRITE_ZEROES, offset, length);
                    assertThat(fixture.run(unmapping ? asked.unmapping() : asked)).isZero();
                }
                Arrays.fill(content, offset, offset + length, (byte) 0);
            }
            assertThat(fixture.read(0, SIZE)).isEqualTo(content);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"io_uring", "linux-aio", "nio"})
    void shouldFollowTheSizeOfTheDevice(String backend) throws IOException, InterruptedException {
        BlockDeviceOptions options = BlockDeviceOptions.builder().backend(backend).build();
        try (BlockDevice disk = BlockDevice.open(Path.of(device), options)) {
            ByteBuffer buffer = ByteBuffer.allocateDirect(2 * BLOCK);
            ByteBuffer aligned = buffer.alignedSlice(BLOCK).limit(BLOCK);
            assertThatThrownBy(() -> disk.resize(2L * SIZE).block(PATIENCE)).hasMessageContaining(SIZE + " bytes, not " + 2L * SIZE);
            assertThat(disk.sizeBytes()).isEqualTo(SIZE);
            assertThatThrownBy(() -> disk.read(SIZE, aligned).block(PATIENCE)).isInstanceOf(IllegalArgumentException.class);

            resizeDevice(2L * SIZE);
            assertThat(disk.sizeBytes()).as("not before it is asked").isEqualTo(SIZE);
            assertThat(disk.resize(2L * SIZE).block(PATIENCE)).satisfies(geometry -> assertThat(geometry.sizeBytes()).isEqualTo(2L * SIZE));
            assertThat(disk.read(SIZE, aligned).block(PATIENCE)).isEqualTo(BLOCK);

            resizeDevice(SIZE);
            assertThatThrownBy(() -> disk.resize(2L * SIZE).block(PATIENCE)).hasMessageContaining(SIZE + " bytes, not " + 2L * SIZE);
            assertThat(disk.sizeBytes()).as("the size that it has").isEqualTo(SIZE);
            assertThatThrownBy(() -> disk.read(SIZE, aligned.clear().limit(BLOCK)).block(PATIENCE)).isInstanceOf(IllegalArgumentException.class);
        }
    }

    private void resizeDevice(long bytes) throws IOException, InterruptedException {
        try (RandomAccessFile backing = new RandomAccessFile(file.toFile(), "rw")) {
            backing.setLength(bytes);
        }
        Outcome told = run("losetup", "-c", device);
        assertThat(told.exit).as(told.output).isZero();
    }
}
