package dev.sluice.pipeline.testing;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.pipeline.BlockBackend;
import dev.sluice.pipeline.BlockOp;
import dev.sluice.pipeline.BlockRequest;
import dev.sluice.pipeline.BlockSink;
import dev.sluice.pipeline.Errno;
import dev.sluice.pipeline.IoLoop;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * What every {@link BlockSink} does, stated over {@code dev.sluice.pipeline} alone. The test of a kind of sink extends it.
 *
 * <p>Requests are {@link TestRequest}s of 512 bytes to 16 KiB at any sector: a disk with a larger logical block is to be opened so that it takes them.
 */
public abstract class BlockSinkContract {
    private static final int SECTOR = BlockRequest.SECTOR_BYTES;
    private static final int DISK_BYTES = 1 << 20;
    private static final int CAPACITY = 8;
    private static final int QUEUE_SIZE = 64;

    /** Nothing aligns with it: segments begin at odd addresses of memory. */
    private static final int CROOKED_SEGMENT_BYTES = 1001;

    private @Nullable Rig rig;

    private record Rig(IoLoop loop, BlockBackend backend, BlockSink sink, TestQueue queue) {}

    // ---- what the test of a kind of sink gives

    /** A loop of the kind that the backend needs, running. Closed by the contract. */
    protected abstract IoLoop openLoop() throws Exception;

    /** A fresh writable image of that size, all zeroes. Closed by the contract. */
    protected abstract BlockBackend openBackend(long sizeBytes, int sinkCapacity) throws Exception;

    /** The bytes that are on stable storage, as far as it can be told from outside. Nothing is in flight. */
    protected abstract byte[] stableContents() throws Exception;

    // ---- the rig

    @BeforeEach
    final void open() throws Exception {
        IoLoop loop = openLoop();
        BlockBackend backend = openBackend(DISK_BYTES, CAPACITY);
        BlockSink sink = on(loop, () -> backend.openSink(loop));
        rig = new Rig(loop, backend, sink, new TestQueue(loop, 0, QUEUE_SIZE));
    }

    @AfterEach
    final void close() {
        Rig open = rig();
        run(() -> open.sink.close());
        open.queue.close();
        open.loop.close();
        open.backend.close();
    }

    private Rig rig() {
        Rig open = rig;
        if (open == null) {
            throw new IllegalStateException("not opened");
        }
        return open;
    }

    private static <T> T on(IoLoop loop, Callable<T> task) throws Exception {
        CompletableFuture<T> done = new CompletableFuture<>();
        loop.execute(() -> {
            try {
                done.complete(task.call());
            } catch (Throwable failure) {
                done.completeExceptionally(failure);
            }
        });
        return done.get(30, TimeUnit.SECONDS);
    }

    private void run(Runnable task) {
        try {
            on(rig().loop, () -> {
                task.run();
                return true;
            });
        } catch (Exception failure) {
            throw new AssertionError(failure.getMessage(), failure);
        }
    }

    /** Polls what was just submitted to the queue. Loop thread. */
    private static BlockRequest parsed(TestQueue queue, TestIo io) {
        queue.submit(io);
        BlockRequest request = queue.poll();
        if (request == null) {
            throw new AssertionError("the test has more out than its queue has slots");
        }
        return request;
    }

    /** One batch; no more than the sink takes at once. */
    private void submit(TestQueue queue, TestIo... ios) {
        run(() -> {
            for (TestIo io : ios) {
                assertThat(rig().sink.submit(parsed(queue, io))).as("the sink takes " + io).isTrue();
            }
            rig().loop.atTickEnd(rig().sink::flush);
        });
    }

    private int result(TestIo io) {
        return result(rig().queue, io);
    }

    private int result(TestQueue queue, TestIo io) {
        submit(queue, io);
        int result = io.await();
        run(() -> {});
        assertThat(io.answers()).as("answers of " + io).isEqualTo(1);
        return result;
    }

    private static byte[] pattern(long seed, int length) {
        byte[] bytes = new byte[length];
        SplittableRandom random = new SplittableRandom(seed);
        random.nextBytes(bytes);
        return bytes;
    }

    private byte[] read(long sector, int length) {
        TestIo read = TestIo.read(sector, length);
        assertThat(result(read)).as("result of " + read).isEqualTo(length);
        return read.data();
    }

    // ---- the contract

    @ParameterizedTest
    @ValueSource(ints = {512, 1024, 4096, 4608, 16384})
    void shouldReadBackWhatWasWritten(int length) {
        byte[] bytes = pattern(length, length);
        assertThat(result(TestIo.write(3, bytes))).isEqualTo(length);
        assertThat(read(3, length)).isEqualTo(bytes);
        assertThat(read(0, 3 * SECTOR)).as("the sectors before").containsOnly(0);
        assertThat(read(3 + length / SECTOR, SECTOR)).as("the sector behind").containsOnly(0);
    }

    @ParameterizedTest
    @ValueSource(ints = {512, 4096, 9216, 16384})
    void shouldMoveDataOfSegmentsThatAreNotAligned(int length) {
        try (TestQueue crooked = new TestQueue(rig().loop, 1, 4, TestQueue.DEFAULT_ROOM_BYTES, CROOKED_SEGMENT_BYTES)) {
            byte[] bytes = pattern(length, length);
            assertThat(result(crooked, TestIo.write(8, bytes))).isEqualTo(length);
            assertThat(read(8, length)).isEqualTo(bytes);
            TestIo read = TestIo.read(8, length);
            assertThat(result(crooked, read)).isEqualTo(length);
            assertThat(read.data()).isEqualTo(bytes);
        }
    }

    @Test
    void shouldAnswerEveryRequestOnceAndAgreeWithAnArray() {
        SplittableRandom random = new SplittableRandom(42);
        byte[] expected = new byte[DISK_BYTES];
        for (int round = 0; round < 100; round++) {
            // Requests of one batch may overtake one another: each has a part of the disk to itself.
            TestIo[] batch = new TestIo[CAPACITY];
            int part = DISK_BYTES / CAPACITY;
            for (int i = 0; i < CAPACITY; i++) {
                int length = SECTOR * (1 + random.nextInt(32));
                int offset = i * part + SECTOR * random.nextInt((part - length) / SECTOR + 1);
                if (random.nextBoolean()) {
                    byte[] bytes = pattern(random.nextLong(), length);
                    System.arraycopy(bytes, 0, expected, offset, length);
                    batch[i] = TestIo.write(offset / SECTOR, bytes);
                } else {
                    batch[i] = TestIo.read(offset / SECTOR, length);
                }
            }
            submit(rig().queue, batch);
            for (TestIo io : batch) {
                assertThat(io.await()).as(io + " in round " + round).isEqualTo((int) io.lengthBytes());
                if (io.op() == BlockOp.READ) {
                    int offset = (int) io.sector() * SECTOR;
                    assertThat(io.data()).as(io + " in round " + round).isEqualTo(Arrays.copyOfRange(expected, offset, offset + (int) io.lengthBytes()));
                }
            }
            run(() -> assertThat(rig().sink.inFlight()).isZero());
            assertThat(batch).allMatch(io -> io.answers() == 1);
        }
    }

    @Test
    void shouldNotCompleteInsideSubmit() {
        TestIo write = TestIo.write(0, new byte[SECTOR]);
        TestIo empty = TestIo.read(0, 0);
        run(() -> {
            for (TestIo io : List.of(write, empty)) {
                BlockRequest request = parsed(rig().queue, io);
                assertThat(rig().sink.submit(request)).isTrue();
                assertThat(request.state()).isEqualTo(BlockRequest.State.SUBMITTED);
                assertThat(io.answered()).isFalse();
            }
            assertThat(rig().sink.inFlight()).isEqualTo(2);
            rig().loop.atTickEnd(rig().sink::flush);
        });
        assertThat(write.await()).isEqualTo(SECTOR);
        assertThat(empty.await()).isZero();
    }

    @Test
    void shouldLeaveARequestAloneWhenItIsFullAndTakeItAfterACompletion() {
        List<TestIo> taken = new ArrayList<>();
        List<BlockRequest> refused = new ArrayList<>();
        TestIo late = TestIo.read(0, SECTOR);
        run(() -> {
            for (int i = 0; i < rig().sink.capacity(); i++) {
                TestIo io = TestIo.read(i, SECTOR);
                taken.add(io);
                assertThat(rig().sink.submit(parsed(rig().queue, io))).isTrue();
            }
            assertThat(rig().sink.inFlight()).isEqualTo(rig().sink.capacity());
            BlockRequest request = parsed(rig().queue, late);
            assertThat(rig().sink.submit(request)).isFalse();
            assertThat(request.state()).isEqualTo(BlockRequest.State.PARSED);
            refused.add(request);
            rig().loop.atTickEnd(rig().sink::flush);
        });
        taken.forEach(io -> assertThat(io.await()).isEqualTo(SECTOR));
        assertThat(late.answered()).isFalse();
        run(() -> {
            assertThat(rig().sink.submit(refused.getFirst())).isTrue();
            rig().loop.atTickEnd(rig().sink::flush);
        });
        assertThat(late.await()).isEqualTo(SECTOR);
    }

    @Test
    void shouldSucceedAtOnceWithRequestsOfNoLength() {
        assertThat(result(TestIo.read(1, 0))).isZero();
        assertThat(result(TestIo.write(1, new byte[0]))).isZero();
        if (rig().backend.geometry().writeZeroes()) {
            assertThat(result(TestIo.writeZeroes(1, 0))).isZero();
        }
        if (rig().backend.geometry().discard()) {
            assertThat(result(TestIo.discard(1, 0))).isZero();
        }
    }

    @Test
    void shouldReachTheLastSector() {
        long last = DISK_BYTES / SECTOR - 1;
        byte[] bytes = pattern(7, SECTOR);
        assertThat(result(TestIo.write(last, bytes))).isEqualTo(SECTOR);
        assertThat(read(last, SECTOR)).isEqualTo(bytes);
        assertThat(rig().backend.geometry().sectors()).isEqualTo(last + 1);
    }

    @Test
    void shouldGiveZeroesOrAnErrorBeyondTheEnd() {
        long last = DISK_BYTES / SECTOR - 1;
        assertThat(result(TestIo.write(last, pattern(8, SECTOR)))).isEqualTo(SECTOR);
        TestIo across = TestIo.read(last, 2 * SECTOR);
        if (result(across) >= 0) {
            assertThat(across.result()).isEqualTo(2 * SECTOR);
            assertThat(Arrays.copyOf(across.data(), SECTOR)).isEqualTo(pattern(8, SECTOR));
            assertThat(Arrays.copyOfRange(across.data(), SECTOR, 2 * SECTOR)).containsOnly(0);
        }
        assertThat(read(last, SECTOR)).as("the sink goes on").isEqualTo(pattern(8, SECTOR));
    }

    @Test
    void shouldCoverByAFlushWhatWasCompletedBefore() throws Exception {
        byte[] bytes = pattern(9, 8192);
        assertThat(result(TestIo.write(16, bytes))).isEqualTo(8192);
        assertThat(result(TestIo.flush())).isZero();
        assertThat(Arrays.copyOfRange(stableContents(), 16 * SECTOR, 16 * SECTOR + 8192)).isEqualTo(bytes);
    }

    @Test
    void shouldNeedNoFlushForADurableWrite() throws Exception {
        byte[] bytes = pattern(10, 4096);
        assertThat(result(TestIo.write(16, bytes).asDurable())).isEqualTo(4096);
        assertThat(Arrays.copyOfRange(stableContents(), 16 * SECTOR, 16 * SECTOR + 4096)).isEqualTo(bytes);
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void shouldWriteZeroesAndNothingElse(boolean unmapping) {
        byte[] bytes = pattern(11, 12288);
        assertThat(result(TestIo.write(8, bytes))).isEqualTo(12288);
        TestIo zeroes = TestIo.writeZeroes(16, 4096);
        int result = result(unmapping ? zeroes.asUnmapping() : zeroes);
        if (rig().backend.geometry().writeZeroes()) {
            assertThat(result).isGreaterThanOrEqualTo(0);
            Arrays.fill(bytes, 4096, 8192, (byte) 0);
        } else {
            assertThat(result).isEqualTo(-Errno.EOPNOTSUPP);
        }
        assertThat(read(8, 12288)).isEqualTo(bytes);
    }

    @Test
    void shouldDiscardNothingElseThanWhatItWasToldTo() {
        byte[] bytes = pattern(12, 12288);
        assertThat(result(TestIo.write(8, bytes))).isEqualTo(12288);
        int result = result(TestIo.discard(16, 4096));
        byte[] after = read(8, 12288);
        if (rig().backend.geometry().discard()) {
            assertThat(result).isGreaterThanOrEqualTo(0);
        } else {
            assertThat(result).isEqualTo(-Errno.EOPNOTSUPP);
            assertThat(after).isEqualTo(bytes);
        }
        assertThat(Arrays.copyOf(after, 4096)).isEqualTo(Arrays.copyOf(bytes, 4096));
        assertThat(Arrays.copyOfRange(after, 8192, 12288)).isEqualTo(Arrays.copyOfRange(bytes, 8192, 12288));
    }

    @Test
    void shouldFailWhatIsNotForSinks() {
        assertThat(result(TestIo.serial(20))).as("GET_ID is the pipeline's to answer").isNegative();
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void shouldAnswerWhatIsInFlightWhenItIsClosed(boolean flushedBefore) {
        List<TestIo> ios = new ArrayList<>();
        TestIo refused = TestIo.read(0, SECTOR);
        run(() -> {
            for (int i = 0; i < CAPACITY; i++) {
                TestIo io = i % 2 == 0 ? TestIo.read(i, SECTOR) : TestIo.write(i, new byte[SECTOR]);
                ios.add(io);
                assertThat(rig().sink.submit(parsed(rig().queue, io))).isTrue();
            }
            if (flushedBefore) {
                rig().sink.flush();
            }
            rig().sink.close();
            rig().sink.close();
            BlockRequest request = parsed(rig().queue, refused);
            assertThat(rig().sink.submit(request)).as("nothing is taken any more").isFalse();
            request.complete(-Errno.ESHUTDOWN);
        });
        ios.forEach(TestIo::await);
        run(() -> {
            assertThat(rig().sink.inFlight()).isZero();
            rig().sink.close();
        });
        assertThat(ios).allMatch(io -> io.answers() == 1);
    }

    @Test
    void shouldServeTwoLoopsFromOneBackend() throws Exception {
        IoLoop other = openLoop();
        try (TestQueue queue = new TestQueue(other, 1, 4)) {
            BlockSink second = on(other, () -> rig().backend.openSink(other));
            byte[] bytes = pattern(13, 4096);
            assertThat(result(TestIo.write(64, bytes))).isEqualTo(4096);
            TestIo read = TestIo.read(64, 4096);
            boolean taken = on(other, () -> {
                boolean submitted = second.submit(parsed(queue, read));
                other.atTickEnd(second::flush);
                return submitted;
            });
            assertThat(taken).isTrue();
            assertThat(read.await()).isEqualTo(4096);
            assertThat(read.data()).isEqualTo(bytes);
            on(other, () -> {
                second.close();
                return true;
            });
        } finally {
            other.close();
        }
    }
}
