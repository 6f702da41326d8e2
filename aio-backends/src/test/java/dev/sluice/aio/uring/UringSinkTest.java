package dev.sluice.aio.uring;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.linux.Errno;
import dev.sluice.pipeline.BackendOptions;
import dev.sluice.pipeline.BlockOp;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.Parameter;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.EnumSource;

/** Every operation on a real ring and a real file: tmpfs and disk, O_DIRECT and page cache. */
@ParameterizedClass
@EnumSource
class UringSinkTest {
    private static final int SIZE = 8 << 20;
    private static final int BLOCK = 4096;

    /** What a sink has of each; some more makes requests wait, and cuts them into pieces. */
    private static final int BOUNCE_BUFFERS = 16;

    private static final int BOUNCE_BUFFER_BYTES = 256 * 1024;
    private static final int ZERO_BUFFER_BYTES = 256 * 1024;

    enum Medium {
        TMPFS_DIRECT(true, true),
        DISK_DIRECT(false, true),
        DISK_BUFFERED(false, false);

        private final boolean tmpfs;
        private final boolean direct;

        Medium(boolean tmpfs, boolean direct) {
            this.tmpfs = tmpfs;
            this.direct = direct;
        }
    }

    @Parameter
    Medium medium = Medium.TMPFS_DIRECT;

    private final Random random = new Random(42);
    private Path image = Path.of("/");
    private byte[] content = new byte[0];

    @BeforeEach
    void createImage() throws IOException {
        image = Files.createTempFile(medium.tmpfs ? Path.of("/dev/shm") : Path.of("target"), "sluice-sink", ".raw");
        content = bytes(SIZE);
        Files.write(image, content);
    }

    @AfterEach
    void deleteImage() throws IOException {
        Files.deleteIfExists(image);
    }

    private BackendOptions options() {
        return BackendOptions.of(image).withDirect(medium.direct);
    }

    private byte[] bytes(int count) {
        byte[] bytes = new byte[count];
        random.nextBytes(bytes);
        return bytes;
    }

    @Test
    void shouldReadOneSectorTheFirstAndTheLast() throws IOException {
        try (SinkFixture fixture = new SinkFixture(options())) {
            assertThat(fixture.read(0, 512)).isEqualTo(Arrays.copyOf(content, 512));
            assertThat(fixture.read(SIZE - 512, 512)).isEqualTo(Arrays.copyOfRange(content, SIZE - 512, SIZE));
        }
    }

    @Test
    void shouldWriteOneSectorTheFirstAndTheLast() throws IOException {
        byte[] first = bytes(512);
        byte[] last = bytes(512);
        try (SinkFixture fixture = new SinkFixture(options())) {
            assertThat(fixture.write(0, first)).isEqualTo(512);
            assertThat(fixture.write(SIZE - 512, last)).isEqualTo(512);
        }
        System.arraycopy(first, 0, content, 0, 512);
        System.arraycopy(last, 0, content, SIZE - 512, 512);
        assertThat(Files.readAllBytes(image)).isEqualTo(content);
    }

    @Test
    void shouldMoveAMebibyteOfManySegments() throws IOException {
        long[] lengths = new long[256];
        Arrays.fill(lengths, BLOCK);
        byte[] written = bytes(1 << 20);
        try (SinkFixture fixture = new SinkFixture(options());
                TestRequest write = fixture.make(0, lengths);
                TestRequest read = fixture.make(0, lengths)) {
            assertThat(fixture.run(write.fill(written).as(BlockOp.WRITE, 3 * BLOCK))).isEqualTo(1 << 20);
            assertThat(fixture.run(read.as(BlockOp.READ, 3 * BLOCK))).isEqualTo(1 << 20);
            assertThat(read.bytes()).isEqualTo(written);
        }
    }

    @Test
    void shouldSplitMoreSegmentsThanTheKernelTakes() throws IOException {
        long[] lengths = new long[2500];
        Arrays.fill(lengths, 512);
        byte[] written = bytes(2500 * 512);
        try (SinkFixture fixture = new SinkFixture(options());
                TestRequest write = fixture.make(0, lengths);
                TestRequest read = fixture.make(0, lengths)) {
            assertThat(fixture.run(write.fill(written).as(BlockOp.WRITE, BLOCK))).isEqualTo(written.length);
            assertThat(fixture.run(read.as(BlockOp.READ, BLOCK))).isEqualTo(written.length);
            assertThat(read.bytes()).isEqualTo(written);
        }
    }

    @Test
    void shouldBounceWhereAddressesOrLengthsAreOdd() throws IOException {
        byte[] written = bytes(BLOCK * 3);
        try (SinkFixture fixture = new SinkFixture(options());
                TestRequest write = fixture.make(8, 1000, 7, 3089, BLOCK, BLOCK);
                TestRequest read = fixture.make(1, 1, BLOCK - 2, 1, BLOCK, 5, BLOCK - 5)) {
            assertThat(fixture.run(write.fill(written).as(BlockOp.WRITE, 5 * BLOCK))).isEqualTo(written.length);
            assertThat(fixture.run(read.as(BlockOp.READ, 5 * BLOCK))).isEqualTo(written.length);
            assertThat(read.bytes()).isEqualTo(written);
        }
    }

    @Test
    void shouldBounceALongRequestPieceByPieceWhenManyWaitForBuffers() throws IOException {
        int length = BOUNCE_BUFFER_BYTES + BLOCK;
        byte[] written = bytes(length);
        int count = BOUNCE_BUFFERS * 2;
        try (SinkFixture fixture = new SinkFixture(options())) {
            TestRequest[] requests = new TestRequest[count];
            for (int i = 0; i < count; i++) {
                requests[i] = fixture.make(8, length).fill(written).as(BlockOp.WRITE, (long) (i % 8) * (1 << 20));
            }
            fixture.submit(requests);
            for (TestRequest request : requests) {
                assertThat(SinkFixture.await(request.answered)).isEqualTo(length);
                request.close();
            }
            assertThat(fixture.read(7 << 20, length)).isEqualTo(written);
        }
    }

    @Test
    void shouldFailWhatLiesBeyondTheEndOfAFileThatWasTruncated() throws IOException {
        try (SinkFixture fixture = new SinkFixture(options());
                TestRequest read = fixture.make(0, BLOCK, BLOCK, BLOCK);
                TestRequest odd = fixture.make(3, 5000, BLOCK * 3 - 5000);
                TestRequest beyond = fixture.make(0, BLOCK);
                TestRequest write = fixture.make(0, BLOCK)) {
            truncate(SIZE - 2 * BLOCK + 1000);
            assertThat(fixture.run(read.as(BlockOp.READ, SIZE - 3 * BLOCK))).isEqualTo(-Errno.EIO);
            assertThat(fixture.run(odd.as(BlockOp.READ, SIZE - 3 * BLOCK))).isEqualTo(-Errno.EIO);
            assertThat(fixture.run(beyond.as(BlockOp.READ, SIZE - BLOCK))).isEqualTo(-Errno.EIO);
            assertThat(fixture.run(write.as(BlockOp.WRITE, SIZE - BLOCK))).isEqualTo(-Errno.EIO);
            assertThat(Files.size(image)).as("what was written beyond the end").isEqualTo(SIZE - 2 * BLOCK + 1000);
            assertThat(fixture.read(SIZE - 3 * BLOCK, BLOCK + 512)).isEqualTo(Arrays.copyOfRange(content, SIZE - 3 * BLOCK, SIZE - 2 * BLOCK + 512));
        }
    }

    private void truncate(long size) throws IOException {
        try (RandomAccessFile file = new RandomAccessFile(image.toFile(), "rw")) {
            file.setLength(size);
        }
    }

    @Test
    void shouldFlushAndWriteDurably() throws IOException {
        byte[] written = bytes(BLOCK);
        try (SinkFixture fixture = new SinkFixture(options());
                TestRequest write = fixture.make(0, BLOCK);
                TestRequest flush = fixture.make(0)) {
            assertThat(fixture.run(write.fill(written).as(BlockOp.WRITE, 0).durably())).isEqualTo(BLOCK);
            assertThat(fixture.run(flush.as(BlockOp.FLUSH, 0))).isZero();
            assertThat(fixture.read(0, BLOCK)).isEqualTo(written);
        }
    }

    @Test
    void shouldDiscardAndKeepTheSize() throws IOException {
        try (SinkFixture fixture = new SinkFixture(options());
                TestRequest discard = fixture.make(0)) {
            assertThat(fixture.backend.geometry().discard()).isTrue();
            assertThat(fixture.run(discard.as(BlockOp.DISCARD, 1 << 20, 7 << 20).durably())).isZero();
            assertThat(fixture.read(1 << 20, 1 << 20)).containsOnly(0);
            assertThat(fixture.read(0, 1 << 20)).isEqualTo(Arrays.copyOf(content, 1 << 20));
        }
        assertThat(Files.size(image)).isEqualTo(SIZE);
    }

    @Test
    void shouldWriteZeroesWithAndWithoutUnmapping() throws IOException {
        int length = 3 * ZERO_BUFFER_BYTES + 512;
        try (SinkFixture fixture = new SinkFixture(options());
                TestRequest unmapping = fixture.make(0);
                TestRequest keeping = fixture.make(0);
                TestRequest again = fixture.make(0)) {
            assertThat(fixture.run(unmapping.as(BlockOp.WRITE_ZEROES, 512, length).unmapping())).isZero();
            assertThat(fixture.run(keeping.as(BlockOp.WRITE_ZEROES, 2 << 20, length).durably())).isZero();
            assertThat(fixture.run(again.as(BlockOp.WRITE_ZEROES, 4 << 20, length))).isZero();
        }
        for (int offset : new int[] {512, 2 << 20, 4 << 20}) {
            Arrays.fill(content, offset, offset + length, (byte) 0);
        }
        assertThat(Files.readAllBytes(image)).isEqualTo(content);
    }

    @Test
    void shouldRefuseWhatModifiesAReadOnlyImage() throws IOException {
        try (SinkFixture fixture = new SinkFixture(options().withReadOnly(true));
                TestRequest write = fixture.make(0, BLOCK);
                TestRequest discard = fixture.make(0);
                TestRequest zeroes = fixture.make(0);
                TestRequest flush = fixture.make(0)) {
            assertThat(fixture.run(write.as(BlockOp.WRITE, 0))).isEqualTo(-Errno.EROFS);
            assertThat(fixture.run(discard.as(BlockOp.DISCARD, 0, BLOCK))).isEqualTo(-Errno.EROFS);
            assertThat(fixture.run(zeroes.as(BlockOp.WRITE_ZEROES, 0, BLOCK))).isEqualTo(-Errno.EROFS);
            assertThat(fixture.run(flush.as(BlockOp.FLUSH, 0))).isZero();
            assertThat(fixture.read(0, BLOCK)).isEqualTo(Arrays.copyOf(content, BLOCK));
        }
        assertThat(Files.readAllBytes(image)).isEqualTo(content);
    }

    @Test
    void shouldAnswerWithoutTheKernelWhenThereIsNothingToMove() throws IOException {
        try (SinkFixture fixture = new SinkFixture(options());
                TestRequest empty = fixture.make(0)) {
            assertThat(fixture.run(empty.as(BlockOp.READ, 0))).isZero();
        }
    }
}
