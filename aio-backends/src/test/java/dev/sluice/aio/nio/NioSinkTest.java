package dev.sluice.aio.nio;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sluice.aio.loop.HandDrivenLoop;
import dev.sluice.aio.threads.CallThreads;
import dev.sluice.linux.CapturedLog;
import dev.sluice.linux.Errno;
import dev.sluice.pipeline.BackendOptions;
import dev.sluice.pipeline.BlockBackend;
import dev.sluice.pipeline.BlockOp;
import dev.sluice.pipeline.BlockRequest;
import dev.sluice.pipeline.BlockSink;
import dev.sluice.pipeline.ResizableBackend;
import dev.sluice.pipeline.SinkCounters;
import dev.sluice.pipeline.testing.LoopDevice;
import dev.sluice.pipeline.testing.TestIo;
import dev.sluice.pipeline.testing.TestQueue;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.SplittableRandom;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Requests on a thread of the test's: which calls they take, what they come to, and how they come back. */
@Timeout(60)
class NioSinkTest {
    private static final int SECTOR = 512;
    private static final int SIZE = 1 << 20;
    private static final int CAPACITY = 4;
    private static final long MILLIS = 1_000_000;

    private final Path path = LoopDevice.sparse(Files.createTempFile(Path.of("target"), "sluice-nio", ".raw"), SIZE);
    private final HandDrivenLoop loop = new HandDrivenLoop();
    private final TestQueue queue = new TestQueue(loop, 0, 16, 512 << 10, 4096);
    private final List<Thread> made = new ArrayList<>();
    private int threadRefusals;
    private int threadsAsked;
    private final CallThreads threads = new CallThreads("test-", 1, work -> {
        threadsAsked++;
        if (threadRefusals > 0) {
            threadRefusals--;
            throw new OutOfMemoryError("unable to create native thread");
        }
        Thread thread = Thread.ofPlatform().daemon().unstarted(work);
        made.add(thread);
        return thread;
    });

    /** On the thread that makes the calls. */
    private volatile CallSeam seam = CallSeam.NONE;

    private final List<CallSeam.Call> calls = new ArrayList<>();
    private @Nullable BlockBackend backend;
    private @Nullable BlockSink sink;

    NioSinkTest() throws IOException {}

    private BlockBackend backend() {
        return Objects.requireNonNull(backend);
    }

    private BlockSink open(boolean readOnly) throws IOException {
        backend = NioBackendProvider.open(new BackendOptions(path, readOnly, true, CAPACITY), threads, (call, result) -> {
            calls.add(call);
            return seam.result(call, result);
        });
        BlockSink opened = backend.openSink(loop);
        sink = opened;
        return opened;
    }

    @AfterEach
    void close() throws Exception {
        threadRefusals = 0;
        loop.advance(1000 * MILLIS);
        Objects.requireNonNull(sink).close();
        backend().close();
        loop.end();
        assertThat(sink.inFlight()).isZero();
        for (Thread thread : made) {
            thread.join();
        }
        queue.close();
        // The image is nobody's any more.
        NioImage.open(BackendOptions.of(path)).close();
        Files.delete(path);
    }

    private BlockRequest request(TestIo io) {
        queue.submit(io);
        return Objects.requireNonNull(queue.poll());
    }

    private TestIo submit(BlockSink to, TestIo... ios) {
        for (TestIo io : ios) {
            assertThat(to.submit(request(io))).as("taken: %s", io).isTrue();
        }
        to.flush();
        return ios[0];
    }

    private int result(BlockSink to, TestIo io) {
        submit(to, io);
        loop.tickUntil(io::completed);
        assertThat(io.completions()).isEqualTo(1);
        return io.result();
    }

    private static byte[] bytes(int length) {
        byte[] made = new byte[length];
        new SplittableRandom(length).nextBytes(made);
        return made;
    }

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

    // ---- slots and threads

    @Test
    void shouldTakeAsManyAsItHasSlots() throws IOException {
        BlockSink nio = open(false);
        assertThat(nio.capacity()).isEqualTo(CAPACITY);
        TestIo[] ios = new TestIo[CAPACITY];
        for (int i = 0; i < CAPACITY; i++) {
            assertThat(nio.inFlight()).isEqualTo(i);
            ios[i] = TestIo.read(i, 512);
            assertThat(nio.submit(request(ios[i]))).isTrue();
        }
        BlockRequest oneMore = request(TestIo.read(0, 512));
        assertThat(nio.submit(oneMore)).isFalse();
        assertThat(threadsAsked).as("not before the flush").isZero();
        nio.flush();
        assertThat(nio.counters()).isEqualTo(new SinkCounters(1, 4, 0, 0, 0));
        loop.tickUntil(() -> nio.inFlight() == 0);
        assertThat(nio.submit(oneMore)).isTrue();
        assertThat(nio.inFlight()).isEqualTo(1);
    }

    @Test
    void shouldAskForAThreadAgainAfterPausesThatDoubleTo128Milliseconds() throws IOException {
        BlockSink nio = open(false);
        threadRefusals = 10;
        TestIo io = submit(nio, TestIo.read(0, 512));
        nio.flush();
        nio.flush();
        int asked = 3;
        threadRefusals = 9;
        for (long pause : new long[] {1, 2, 4, 8, 16, 32, 64, 128, 128}) {
            loop.advance(pause * MILLIS - 1);
            loop.ticks(1);
            assertThat(threadsAsked).as("before %d ms", pause).isEqualTo(asked);
            loop.advance(1);
            loop.ticks(1);
            assertThat(threadsAsked).as("after %d ms", pause).isEqualTo(++asked);
            assertThat(nio.counters()).isEqualTo(new SinkCounters(0, 0, asked, 0, 0));
        }
        loop.advance(128 * MILLIS);
        loop.ticks(1);
        loop.tickUntil(io::completed);
        assertThat(io.result()).isEqualTo(512);
    }

    @Test
    void shouldEndTheLoopOnlyAfterItsRequestsAreBack() throws Exception {
        BlockSink nio = open(false);
        CountDownLatch hold = new CountDownLatch(1);
        seam = (_, result) -> {
            try {
                hold.await();
            } catch (InterruptedException stopped) {
                Thread.currentThread().interrupt();
            }
            return result;
        };
        TestIo io = submit(nio, TestIo.read(0, 512));
        nio.close();
        BlockRequest late = request(TestIo.read(0, 512));
        assertThat(nio.submit(late)).isFalse();
        late.complete(-Errno.EIO);
        loop.close();
        loop.ticks(3);
        assertThat(loop.kernelClosed()).isFalse();
        hold.countDown();
        loop.tickUntil(io::completed);
        assertThat(io.result()).isEqualTo(512);
        assertThat(loop.tick()).isFalse();
    }

    @Test
    void shouldMakeTheCallsOfAClosingSinkOnItsLoopIfThereIsNoThread() throws IOException {
        BlockSink nio = open(false);
        threadRefusals = Integer.MAX_VALUE;
        TestIo io = submit(nio, TestIo.read(0, 512));
        loop.ticks(1);
        assertThat(io.completed()).isFalse();
        nio.close();
        assertThat(io.completed()).as("never inside a flush").isFalse();
        loop.ticks(1);
        assertThat(io.result()).isEqualTo(512);
        assertThat(nio.counters().operations()).isEqualTo(1);
        loop.close();
        assertThat(loop.tick()).isTrue();
        assertThat(loop.tick()).as("no request is expected any more").isFalse();
    }

    @Test
    void shouldCompleteARequestThatCloseCouldNotWaitFor() throws Exception {
        BlockSink nio = open(false);
        CountDownLatch hold = new CountDownLatch(1);
        seam = (_, result) -> {
            try {
                hold.await();
            } catch (InterruptedException stopped) {
                Thread.currentThread().interrupt();
            }
            return result;
        };
        TestIo late = TestIo.read(0, 512);
        assertThat(nio.submit(request(late))).isTrue();
        nio.flush();
        try (CapturedLog logged = new CapturedLog()) {
            loop.close();
            loop.ticks(2);
            loop.advance(10_000 * MILLIS);
            loop.ticks(2);
            assertThat(logged.containing("by-hand: 1 requests did not come back from their threads in 10 s; the loop ends when they do")).hasSize(1);
            assertThat(late.completed()).isFalse();
            hold.countDown();
            loop.tickUntil(late::completed);
            assertThat(late.result()).isEqualTo(512);
            assertThat(nio.inFlight()).isZero();
            assertThat(loop.tick()).as("the loop ends").isFalse();
        }
    }

    /** Nobody closes the sink, and no thread can be had: what waits for one is done on the loop's thread when the loop closes. */
    @Test
    void shouldCompleteWhatWaitsForAThreadWhenTheLoopCloses() throws Exception {
        threadRefusals = Integer.MAX_VALUE;
        BlockSink nio = open(false);
        TestIo read = TestIo.read(0, 512);
        assertThat(nio.submit(request(read))).isTrue();
        nio.flush();
        assertThat(nio.counters().retries()).isEqualTo(1);
        loop.end();
        assertThat(read.result()).isEqualTo(512);
    }

    /** The mailbox has it, and then waking the loop finds no memory. */
    @Test
    void shouldBringAResultBackOnceHoweverOftenPostingItFails() throws IOException {
        BlockSink nio = open(false);
        TestIo io = TestIo.read(0, 512);
        loop.inKernel(() -> {
            loop.failWakeUps(30);
            long began = System.nanoTime();
            submit(nio, io);
            while (loop.wakeUps() < 31) {
                assertThat(System.nanoTime() - began).isLessThan(TimeUnit.SECONDS.toNanos(30));
                Thread.onSpinWait();
            }
            assertThat(System.nanoTime() - began).as("it waits between tries").isGreaterThanOrEqualTo(30 * MILLIS);
        });
        loop.ticks(2);
        assertThat(io.completions()).isEqualTo(1);
        assertThat(nio.inFlight()).isZero();
    }

    /** A FLUSH whose guest's answer throws. */
    private static final class Throwing extends BlockRequest {
        Throwing(HandDrivenLoop loop) {
            super(loop, 0, 0);
            parsed(BlockOp.FLUSH, 0, 0, 0, 0);
        }

        @Override
        protected void completed(int result) {
            throw new IllegalStateException("made up");
        }
    }

    @Test
    void shouldCompleteTheOthersIfOneCompletionThrows() throws IOException {
        BlockSink nio = open(false);
        try (CapturedLog logged = new CapturedLog()) {
            assertThat(nio.submit(new Throwing(loop))).isTrue();
            assertThat(result(nio, TestIo.read(0, 512))).isEqualTo(512);
            assertThat(nio.inFlight()).isZero();
            assertThat(logged.containing("by-hand: completing a request failed")).hasSize(1);
        }
    }

    @Test
    void shouldTellItsBackendOnceThatItIsClosed() throws IOException {
        BlockSink nio = open(false);
        BlockSink other = backend().openSink(loop);
        backend().close();
        nio.close();
        nio.close();
        loop.ticks(1);
        // The image is open as long as one sink is.
        assertThat(result(other, TestIo.read(0, 512))).isEqualTo(512);
        assertThatThrownBy(() -> backend().openSink(loop)).isInstanceOf(IllegalStateException.class).hasMessageContaining("is closed");
        other.close();
        NioImage.open(BackendOptions.of(path)).close();
    }
}
