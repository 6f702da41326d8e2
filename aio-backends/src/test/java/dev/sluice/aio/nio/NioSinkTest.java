package dev.sluice.aio.nio;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.linux.Errno;
import dev.sluice.pipeline.BlockOp;
import dev.sluice.pipeline.BlockSink;
import dev.sluice.pipeline.ResizableBackend;
import dev.sluice.pipeline.SinkCounters;
import dev.sluice.pipeline.testing.LoopDevice;
import dev.sluice.pipeline.testing.TestIo;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Requests on a thread of the test's: which calls they take, and what they come to. */
@Timeout(60)
class NioSinkTest extends NioSinkRig {
    NioSinkTest() throws IOException {}

    // ---- calls

    @Test
    void shouldReadAndWriteSegmentBySegment() throws IOException {
        BlockSink nio = open(false);
        byte[] content = bytes(9216);
        assertThat(result(nio, TestIo.write(7, content))).isEqualTo(9216);
        assertThat(calls).containsExactly(CallSeam.Call.WRITE, CallSeam.Call.WRITE, CallSeam.Call.WRITE);
        byte[] file = Files.readAllBytes(path);
        assertThat(Arrays.copyOfRange(file, 7 * SECTOR, 7 * SECTOR + 9216)).isEqualTo(content);
        TestIo read = TestIo.read(7, 9216);
        assertThat(result(nio, read)).isEqualTo(9216);
        assertThat(read.data()).isEqualTo(content);
        assertThat(nio.counters()).isEqualTo(new SinkCounters(2, 2, 0, 0, 0));
    }

    @Test
    void shouldContinueShortTransfers() throws IOException {
        BlockSink nio = open(false);
        byte[] content = bytes(8192);
        seam = (_, result) -> Math.min(result, 3000);
        assertThat(result(nio, TestIo.write(1, content))).isEqualTo(8192);
        TestIo read = TestIo.read(1, 8192);
        assertThat(result(nio, read)).isEqualTo(8192);
        assertThat(read.data()).isEqualTo(content);
        // 3000 and 1096 of each segment.
        assertThat(nio.counters()).isEqualTo(new SinkCounters(2, 2, 0, 4, 0));
    }

    @ParameterizedTest
    @CsvSource({"false, false", "true, false", "false, true"})
    void shouldSyncWhatMustBeDurable(boolean zeroes, boolean fails) throws IOException {
        BlockSink nio = open(false);
        TestIo plain = zeroes ? TestIo.writeZeroes(0, 4096) : TestIo.write(0, new byte[4096]);
        assertThat(result(nio, plain)).isEqualTo(zeroes ? 0 : 4096);
        assertThat(calls).containsExactly(CallSeam.Call.WRITE);
        calls.clear();
        seam = (call, result) -> fails && call == CallSeam.Call.SYNC ? -Errno.EIO : result;
        TestIo durable = zeroes ? TestIo.writeZeroes(0, 4096) : TestIo.write(0, new byte[4096]);
        assertThat(result(nio, durable.asDurable())).isEqualTo(fails ? -Errno.EIO : zeroes ? 0 : 4096);
        assertThat(calls).containsExactly(CallSeam.Call.WRITE, CallSeam.Call.SYNC);
        calls.clear();
        assertThat(result(nio, TestIo.read(0, 4096).asDurable())).isEqualTo(4096);
        assertThat(calls).containsExactly(CallSeam.Call.READ);
        calls.clear();
        seam = CallSeam.NONE;
        for (TestIo promise : List.of(TestIo.flush(), TestIo.write(0, new byte[512]).asDurable(), TestIo.writeZeroes(0, 512).asDurable())) {
            assertThat(result(nio, promise) < 0).as("a promise after a sync that failed").isEqualTo(fails);
        }
        assertThat(result(nio, TestIo.write(0, new byte[512]))).isEqualTo(512);
    }

    @Test
    void shouldWriteZeroesPieceByPiece() throws IOException {
        BlockSink nio = open(false);
        Files.write(path, bytes(SIZE));
        byte[] expected = bytes(SIZE);
        int length = 600 * 1024;
        Arrays.fill(expected, 1024, 1024 + length, (byte) 0);
        assertThat(result(nio, TestIo.writeZeroes(2, length))).isZero();
        assertThat(calls).as("of 256 KiB").hasSize(3);
        assertThat(Files.readAllBytes(path)).isEqualTo(expected);
        seam = (_, result) -> Math.min(result, 100_000);
        calls.clear();
        assertThat(result(nio, TestIo.writeZeroes(2, length))).isZero();
        assertThat(calls).hasSize(7);
        assertThat(Files.readAllBytes(path)).isEqualTo(expected);
        seam = (_, _) -> 0;
        assertThat(result(nio, TestIo.writeZeroes(2, length))).isEqualTo(-Errno.ENOSPC);
        seam = (_, _) -> -Errno.EDQUOT;
        assertThat(result(nio, TestIo.writeZeroes(2, length))).isEqualTo(-Errno.EDQUOT);
    }

    @Test
    void shouldFailTransfersThatMoveNothing() throws IOException {
        BlockSink nio = open(false);
        seam = (_, _) -> 0;
        assertThat(result(nio, TestIo.write(0, new byte[512]))).isEqualTo(-Errno.ENOSPC);
        seam = (_, _) -> -Errno.EDQUOT;
        assertThat(result(nio, TestIo.write(0, new byte[512]))).isEqualTo(-Errno.EDQUOT);
        seam = (_, result) -> {
            try {
                Path _ = LoopDevice.sparse(path, SIZE / 2);
            } catch (IOException failed) {
                throw new AssertionError(failed);
            }
            return result;
        };
        int half = SIZE / 2 / SECTOR;
        assertThat(result(nio, TestIo.read(half - 1, 512))).isEqualTo(512);
        seam = CallSeam.NONE;
        assertThat(result(nio, TestIo.read(half, 512))).isEqualTo(-Errno.EIO);
        assertThat(backend().health().missingBytes()).isEqualTo(SIZE / 2);
        assertThat(result(nio, TestIo.read(half - 1, 512))).isEqualTo(512);
        calls.clear();
        assertThat(result(nio, TestIo.read(half - 1, 1024))).as("known to be beyond the end").isEqualTo(-Errno.EIO);
        assertThat(calls).isEmpty();
    }

    @ParameterizedTest
    @ValueSource(ints = {Errno.EAGAIN, Errno.EINTR})
    void shouldTryAgainFromWhereItBeganWithPausesAfterTheFifthRefusal(int errno) throws IOException {
        BlockSink nio = open(false);
        byte[] content = bytes(4096);
        assertThat(result(nio, TestIo.write(0, content))).isEqualTo(4096);
        for (TestIo io : List.of(TestIo.read(0, 4096), TestIo.flush())) {
            int[] refusals = {7};
            long retries = nio.counters().retries();
            long began = System.nanoTime();
            seam = (_, result) -> refusals[0]-- > 0 ? -errno : result;
            assertThat(result(nio, io)).isNotNegative();
            assertThat(System.nanoTime() - began).as("1, 2 and 4 ms").isGreaterThanOrEqualTo(7 * MILLIS);
            assertThat(nio.counters().retries() - retries).isEqualTo(7);
            assertThat(io.data()).isEqualTo(io.op() == BlockOp.READ ? content : new byte[0]);
        }
        assertThat(nio.counters().continuations()).isZero();
    }

    @Test
    void shouldFailTheRequestWhoseCallThrows() throws IOException {
        BlockSink nio = open(false);
        seam = (_, _) -> {
            throw new IllegalStateException("made up");
        };
        assertThat(result(nio, TestIo.read(0, 512))).isEqualTo(-Errno.EIO);
        seam = (_, _) -> {
            throw new InternalError("truncated");
        };
        assertThat(result(nio, TestIo.read(0, 512))).isEqualTo(-Errno.EFAULT);
    }

    @Test
    void shouldCutTheFileBackIfTheDiskHasShrunkUnderAWrite() throws IOException {
        BlockSink nio = open(false);
        CountDownLatch writing = new CountDownLatch(1);
        CountDownLatch shrunk = new CountDownLatch(1);
        assertThat(threads.run(() -> {
            writing.countDown();
            try {
                shrunk.await();
            } catch (InterruptedException stopped) {
                Thread.currentThread().interrupt();
            }
        })).isTrue();
        TestIo before = TestIo.write(15, new byte[512]);
        TestIo behind = TestIo.write(15, new byte[1024]);
        submit(nio, before, behind);
        ((ResizableBackend) backend()).resize(16 * SECTOR);
        shrunk.countDown();
        loop.tickUntil(() -> before.completed() && behind.completed());
        assertThat(before.result()).isEqualTo(512);
        assertThat(behind.result()).isEqualTo(-Errno.EIO);
        assertThat(path.toFile()).hasSize(16 * SECTOR);
    }

    // ---- what needs no thread

    @Test
    void shouldDecideAtOnceWhatTheFileNeedNotBeAskedAbout() throws IOException {
        BlockSink nio = open(true);
        TestIo[] ios = {TestIo.write(0, new byte[512]), TestIo.writeZeroes(0, 512), TestIo.read(0, 0), TestIo.read(SIZE / 512 - 1, 1024)};
        submit(nio, ios);
        assertThat(ios).noneMatch(TestIo::completed);
        loop.ticks(1);
        assertThat(ios).extracting(TestIo::result).containsExactly(-Errno.EROFS, -Errno.EROFS, 0, -Errno.EIO);
        assertThat(threadsAsked).isZero();
        assertThat(nio.counters()).isEqualTo(SinkCounters.NONE);
        assertThat(result(nio, TestIo.read(SIZE / 512 - 1, 512))).isEqualTo(512);
        assertThat(result(nio, TestIo.flush())).isZero();
        assertThat(calls).containsExactly(CallSeam.Call.READ, CallSeam.Call.SYNC);
    }

    @Test
    void shouldNotSupportWhatItHasNoCallFor() throws IOException {
        BlockSink nio = open(false);
        assertThat(result(nio, TestIo.discard(0, 512))).isEqualTo(-Errno.EOPNOTSUPP);
        assertThat(threadsAsked).isZero();
    }
}
