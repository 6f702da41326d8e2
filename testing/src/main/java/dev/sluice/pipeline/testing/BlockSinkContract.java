package dev.sluice.pipeline.testing;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.linux.Errno;
import dev.sluice.pipeline.BlockBackend;
import dev.sluice.pipeline.BlockOp;
import dev.sluice.pipeline.BlockRequest;
import dev.sluice.pipeline.BlockSink;
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
 * What every {@link BlockSink} does, stated over {@code dev.sluice.pipeline} alone. The test of a kind of sink extends it and names the sink with
 * {@link TestsSink}; the build of Sluice fails for a sink without one.
 *
 * <p>Faults come from {@link SystemCallFaults}, which the sink under test asks about the result of each of its system calls. Random ones come from a
 * seed that failures name; {@code -Dsluice.seed=N} repeats them.
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

    private static final long SEED = Long.getLong("sluice.seed", System.nanoTime());

    /** Few enough to be tried at once and with short pauses, too many for a sink that gives up or waits for a completion. */
    private static final int REFUSALS = 8;

    private final SystemCallFaults faults = new SystemCallFaults();
    private @Nullable Rig rig;

    private record Rig(IoLoop loop, BlockBackend backend, BlockSink sink, TestQueue queue) {}

    // ---- what the test of a kind of sink gives

    /** A loop of the kind that the backend needs, running. Closed by the contract. */
    protected abstract IoLoop openLoop() throws Exception;

    /**
     * A fresh image of that size, all zeroes. Closed by the contract.
     *
     * @param faults what the sink asks for the result of each system call
     */
    protected abstract BlockBackend openBackend(long sizeBytes, int sinkCapacity, boolean readOnly, SystemCallFaults faults) throws Exception;

    /** The bytes that are on stable storage, as far as can be seen from outside. Nothing is in flight. */
    protected abstract byte[] stableContents() throws Exception;

    // ---- the rig

    @BeforeEach
    final void open() throws Exception {
        open(false);
    }

    private void open(boolean readOnly) throws Exception {
        IoLoop loop = openLoop();
        BlockBackend backend = openBackend(DISK_BYTES, CAPACITY, readOnly, faults);
        BlockSink sink = on(loop, () -> backend.openSink(loop));
        rig = new Rig(loop, backend, sink, new TestQueue(loop, 0, QUEUE_SIZE));
    }

    @AfterEach
    final void close() {
        Rig open = rig();
        faults.inject(SystemCallFaults.NONE);
        run(() -> open.sink.close());
        open.queue.close();
        open.loop.close();
        open.backend.close();
        rig = null;
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
        return done.get(Patience.seconds(30), TimeUnit.SECONDS);
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
            throw new AssertionError("the test has more requests in flight than its queue has slots");
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

    /** What happens to the system calls of the sink under test. */
    protected final SystemCallFaults faults() {
        return faults;
    }

    /** Submits a request of its own and returns what it was completed with. */
    protected final int result(TestIo io) {
        return result(rig().queue, io);
    }

    private int result(TestQueue queue, TestIo io) {
        submit(queue, io);
        int result = io.await();
        run(() -> {});
        assertThat(io.completions()).as("completions of " + io).isEqualTo(1);
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

    @Test
    void shouldBeTheSinkThatTheTestIsAbout() {
        Class<?> type = getClass();
        while (!type.isAnnotationPresent(TestsSink.class)) {
            assertThat(type).as("no @TestsSink on %s", getClass()).isNotEqualTo(BlockSinkContract.class);
            type = type.getSuperclass();
        }
        assertThat(rig().sink).isExactlyInstanceOf(type.getAnnotation(TestsSink.class).value());
    }

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
    void shouldCompleteEveryRequestOnceAndAgreeWithAnArray() {
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
            assertThat(batch).allMatch(io -> io.completions() == 1);
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
                assertThat(io.completed()).isFalse();
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
        assertThat(late.completed()).isFalse();
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
        assertThat(read(last, SECTOR)).as("the sink continues").isEqualTo(pattern(8, SECTOR));
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
    void shouldDiscardNothingElse() {
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
        assertThat(result(TestIo.serial(20))).as("GET_ID is the front end's").isNegative();
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void shouldCompleteWhatIsInFlightWhenItIsClosed(boolean flushedBefore) {
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
        assertThat(ios).allMatch(io -> io.completions() == 1);
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

    // ---- what the kernel is free to do

    @ParameterizedTest
    @ValueSource(ints = {512, 700, 2048})
    void shouldContinueWhereAShortTransferStopped(int mostBytes) {
        byte[] bytes = pattern(14, 16384);
        faults.inject(SystemCallFaults.atMost(mostBytes));
        assertThat(result(TestIo.write(5, bytes))).isEqualTo(16384);
        assertThat(faults.injected()).isGreaterThanOrEqualTo(3);
        faults.inject(SystemCallFaults.NONE);
        assertThat(read(5, 16384)).isEqualTo(bytes);
        faults.inject(SystemCallFaults.atMost(mostBytes));
        assertThat(read(5, 16384)).isEqualTo(bytes);
        assertThat(faults.injected()).isGreaterThanOrEqualTo(3);
    }

    @Test
    void shouldFailAReadWhereTheFileHasEnded() {
        byte[] bytes = pattern(15, 8192);
        assertThat(result(TestIo.write(0, bytes))).isEqualTo(8192);
        int[] pieces = {1024, 0};
        int[] next = {0};
        faults.inject((call, result) -> call == SystemCallFaults.Call.READ ? pieces[next[0]++] : result);
        assertThat(result(TestIo.read(0, 8192))).isEqualTo(-Errno.EIO);
        faults.inject(SystemCallFaults.NONE);
        assertThat(read(0, 8192)).as("the sink continues").isEqualTo(bytes);
    }

    @Test
    void shouldCallAWriteThatMovesNothingOutOfSpace() {
        faults.inject(SystemCallFaults.always(SystemCallFaults.Call.WRITE, 0));
        assertThat(result(TestIo.write(0, new byte[4096]))).isEqualTo(-Errno.ENOSPC);
        faults.inject(SystemCallFaults.NONE);
        assertThat(result(TestIo.write(0, new byte[4096]))).isEqualTo(4096);
    }

    @ParameterizedTest
    @ValueSource(ints = {Errno.EAGAIN, Errno.EINTR})
    void shouldTryAgainWhenTheKernelRefuses(int errno) {
        byte[] bytes = pattern(16, 4096);
        faults.inject(SystemCallFaults.first(REFUSALS, -errno));
        assertThat(result(TestIo.write(8, bytes))).as("with nothing else in flight").isEqualTo(4096);
        assertThat(faults.injected()).isEqualTo(REFUSALS);

        faults.inject(SystemCallFaults.first(REFUSALS, -errno));
        TestIo[] batch = new TestIo[CAPACITY];
        for (int i = 0; i < CAPACITY; i++) {
            batch[i] = i == 0 ? TestIo.flush() : TestIo.read(8, 4096);
        }
        submit(rig().queue, batch);
        assertThat(batch[0].await()).isZero();
        for (TestIo io : Arrays.copyOfRange(batch, 1, CAPACITY)) {
            assertThat(io.await()).isEqualTo(4096);
            assertThat(io.data()).isEqualTo(bytes);
        }
        assertThat(faults.injected()).isEqualTo(REFUSALS);
    }

    @Test
    void shouldPauseWhenTheKernelRefusesAgainAndAgain() {
        int refusals = 11;
        faults.inject(SystemCallFaults.first(refusals, -Errno.EAGAIN));
        long before = System.nanoTime();
        assertThat(result(TestIo.read(0, 512))).isEqualTo(512);
        assertThat(System.nanoTime() - before).as("nanoseconds for %d refusals", refusals).isGreaterThan(5_000_000L);
    }

    // ---- after writeback has failed

    @ParameterizedTest
    @ValueSource(ints = {Errno.EIO, Errno.ENOSPC, Errno.EDQUOT})
    void shouldFailEveryFlushAndDurableRequestWhenASyncHasFailed(int errno) throws Exception {
        byte[] bytes = pattern(20, 4096);
        assertThat(result(TestIo.flush())).isZero();
        assertThat(result(TestIo.write(8, bytes))).isEqualTo(4096);
        assertThat(rig().backend.health().writebackFailed()).isFalse();
        faults.inject(SystemCallFaults.always(SystemCallFaults.Call.SYNC, -errno));
        assertThat(result(TestIo.flush())).isEqualTo(-errno);
        faults.inject(SystemCallFaults.NONE);

        assertPromisesNothing();
        assertThat(rig().backend.health().writebackFailed()).isTrue();
        assertThat(result(TestIo.write(16, bytes))).as("what promises nothing is served").isEqualTo(4096);
        assertThat(read(8, 4096)).isEqualTo(bytes);
    }

    /** With the sink under test and with another loop's. */
    private void assertPromisesNothing() throws Exception {
        for (TestIo io : promises()) {
            assertThat(result(io)).as("%s", io).isEqualTo(-Errno.EIO);
        }
        IoLoop other = openLoop();
        try (TestQueue queue = new TestQueue(other, 1, 8)) {
            BlockSink second = on(other, () -> rig().backend.openSink(other));
            for (TestIo io : promises()) {
                boolean taken = on(other, () -> {
                    boolean submitted = second.submit(parsed(queue, io));
                    other.atTickEnd(second::flush);
                    return submitted;
                });
                assertThat(taken).isTrue();
                assertThat(io.await()).as("%s on another loop", io).isEqualTo(-Errno.EIO);
            }
            on(other, () -> {
                second.close();
                return true;
            });
        } finally {
            other.close();
        }
    }

    private List<TestIo> promises() {
        List<TestIo> promises = new ArrayList<>(List.of(TestIo.flush(), TestIo.write(0, new byte[4096]).asDurable()));
        if (rig().backend.geometry().writeZeroes()) {
            promises.add(TestIo.writeZeroes(0, 4096).asDurable());
        }
        if (rig().backend.geometry().discard()) {
            promises.add(TestIo.discard(0, 4096).asDurable());
        }
        return promises;
    }

    @Test
    void shouldFailWhatWasInFlightTogetherWithASyncThatFailed() throws Exception {
        int[] syncs = {0};
        faults.inject((call, result) -> call == SystemCallFaults.Call.SYNC && syncs[0]++ == 0 ? -Errno.EIO : result);
        TestIo[] flushes = new TestIo[CAPACITY];
        Arrays.setAll(flushes, i -> TestIo.flush());
        submit(rig().queue, flushes);
        assertThat(flushes).extracting(TestIo::await).as("of the flushes that overlap one that failed none succeeds").doesNotContain(0);
        faults.inject(SystemCallFaults.NONE);
        assertPromisesNothing();
    }

    @Test
    void shouldFailARequestWhoseOwnSyncFails() throws Exception {
        if (!rig().backend.geometry().writeZeroes()) {
            return;
        }
        faults.inject(SystemCallFaults.always(SystemCallFaults.Call.SYNC, -Errno.EIO));
        if (result(TestIo.writeZeroes(0, 4096).asDurable()) == 0) {
            assertThat(faults.injected()).as("syncs of a sink that makes zeroes durable without one").isZero();
            return;
        }
        faults.inject(SystemCallFaults.NONE);
        assertPromisesNothing();
    }

    @ParameterizedTest
    @ValueSource(ints = {Errno.EAGAIN, Errno.EINTR, Errno.EINVAL})
    void shouldPromiseAgainWhenASyncDidNotRun(int errno) {
        faults.inject(SystemCallFaults.first(1, -errno));
        int _ = result(TestIo.flush());
        faults.inject(SystemCallFaults.NONE);
        assertThat(result(TestIo.flush())).isZero();
        assertThat(result(TestIo.write(0, new byte[4096]).asDurable())).isEqualTo(4096);
        assertThat(rig().backend.health().writebackFailed()).isFalse();
    }

    @Test
    void shouldCompleteEachOfManyThatNeedASyncAtOnce() {
        for (int round = 0; round < 20; round++) {
            TestIo[] again = new TestIo[CAPACITY];
            Arrays.setAll(again, i -> i % 2 == 0 ? TestIo.flush() : TestIo.write(8L * i, new byte[4096]).asDurable());
            submit(rig().queue, again);
            for (TestIo io : again) {
                assertThat(io.await()).as("%s", io).isEqualTo(io.op() == BlockOp.FLUSH ? 0 : 4096);
            }
            run(() -> assertThat(rig().sink.inFlight()).isZero());
            assertThat(again).allMatch(io -> io.completions() == 1);
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {Errno.EIO, Errno.ENOSPC, Errno.EDQUOT, Errno.ENOMEM})
    void shouldCompleteWithWhatTheKernelFailedWithAndContinue(int errno) {
        for (SystemCallFaults.Call call : List.of(SystemCallFaults.Call.READ, SystemCallFaults.Call.WRITE)) {
            faults.inject(SystemCallFaults.always(call, -errno));
            assertThat(result(asked(call))).as("%s failing with %s", call, Errno.name(errno)).isEqualTo(-errno);
            faults.inject(SystemCallFaults.NONE);
            assertThat(result(asked(call))).as("%s afterwards", call).isGreaterThanOrEqualTo(0);
        }
    }

    private static TestIo asked(SystemCallFaults.Call call) {
        return switch (call) {
            case READ -> TestIo.read(0, SECTOR);
            case WRITE -> TestIo.write(0, new byte[SECTOR]);
            case SYNC -> TestIo.flush();
            case ALLOCATE -> TestIo.writeZeroes(0, SECTOR);
        };
    }

    @Test
    void shouldFailOneRequestOfABatchAndNoOther() {
        faults.inject(SystemCallFaults.first(1, -Errno.EIO));
        TestIo[] batch = new TestIo[CAPACITY];
        for (int i = 0; i < CAPACITY; i++) {
            batch[i] = TestIo.read(8L * i, 4096);
        }
        submit(rig().queue, batch);
        assertThat(Arrays.stream(batch).mapToInt(TestIo::await)).containsOnlyOnce(-Errno.EIO).filteredOn(result -> result == 4096).hasSize(CAPACITY - 1);
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void shouldWriteTheZeroesItselfIfTheFileSystemCannot(boolean unmapping) {
        byte[] bytes = pattern(17, 12288);
        assertThat(result(TestIo.write(8, bytes))).isEqualTo(12288);
        faults.inject(SystemCallFaults.always(SystemCallFaults.Call.ALLOCATE, -Errno.EOPNOTSUPP));
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
    void shouldReportThatItCannotDiscardIfTheFileSystemCannot() {
        byte[] bytes = pattern(18, 12288);
        assertThat(result(TestIo.write(8, bytes))).isEqualTo(12288);
        faults.inject(SystemCallFaults.always(SystemCallFaults.Call.ALLOCATE, -Errno.EOPNOTSUPP));
        assertThat(result(TestIo.discard(16, 4096))).isEqualTo(-Errno.EOPNOTSUPP);
        assertThat(Arrays.copyOf(read(8, 12288), 4096)).isEqualTo(Arrays.copyOf(bytes, 4096));
        assertThat(Arrays.copyOfRange(read(8, 12288), 8192, 12288)).isEqualTo(Arrays.copyOfRange(bytes, 8192, 12288));
    }

    @Test
    void shouldRefuseChangesToAReadOnlyImage() throws Exception {
        close();
        open(true);
        assertThat(rig().backend.geometry().readOnly()).isTrue();
        for (TestIo change : List.of(TestIo.write(0, pattern(19, 4096)), TestIo.discard(0, 4096), TestIo.writeZeroes(0, 4096))) {
            assertThat(result(change)).as("%s", change).isEqualTo(-Errno.EROFS);
        }
        assertThat(result(TestIo.flush())).isZero();
        assertThat(read(0, 4096)).containsOnly(0);
    }

    @Test
    void shouldCompleteOnceWhatWasAbandonedInFlight() {
        faults.inject(SystemCallFaults.unreliable(SEED));
        List<TestIo> ios = new ArrayList<>();
        run(() -> {
            for (int i = 0; i < CAPACITY; i++) {
                TestIo io = i % 2 == 0 ? TestIo.read(8L * i, 4096) : TestIo.write(8L * i, new byte[4096]);
                ios.add(io);
                assertThat(rig().sink.submit(parsed(rig().queue, io))).isTrue();
            }
            rig().sink.flush();
            rig().queue.abandonAll();
        });
        ios.forEach(TestIo::await);
        run(() -> assertThat(rig().sink.inFlight()).isZero());
        assertThat(ios).as("seed %d", SEED).allMatch(io -> io.completions() == 1 && io.abandoned());
    }

    @Test
    void shouldCompleteWhatTheKernelStillRefusesWhenItIsClosed() {
        faults.inject(SystemCallFaults.unreliable(SEED));
        List<TestIo> ios = new ArrayList<>();
        run(() -> {
            for (int i = 0; i < CAPACITY; i++) {
                TestIo io = i % 2 == 0 ? TestIo.read(32L * i, 16384) : TestIo.write(32L * i, new byte[16384]);
                ios.add(io);
                assertThat(rig().sink.submit(parsed(rig().queue, io))).isTrue();
            }
            rig().sink.close();
        });
        ios.forEach(TestIo::await);
        run(() -> assertThat(rig().sink.inFlight()).isZero());
        assertThat(ios).as("seed %d", SEED).allMatch(io -> io.completions() == 1 && io.result() == 16384);
    }

    @Test
    void shouldAgreeWithAnArrayWhateverTheKernelDoes() {
        SplittableRandom random = new SplittableRandom(SEED);
        faults.inject(SystemCallFaults.unreliable(random.nextLong()));
        byte[] expected = new byte[DISK_BYTES];
        int part = DISK_BYTES / CAPACITY;
        for (int round = 0; round < 60; round++) {
            TestIo[] batch = new TestIo[CAPACITY];
            for (int i = 0; i < CAPACITY; i++) {
                int length = SECTOR * (1 + random.nextInt(32));
                int offset = i * part + SECTOR * random.nextInt((part - length) / SECTOR + 1);
                batch[i] = any(random, expected, offset, length);
            }
            submit(rig().queue, batch);
            for (TestIo io : batch) {
                String what = io + " in round " + round + ", seed " + SEED;
                boolean transfer = io.op() == BlockOp.READ || io.op() == BlockOp.WRITE;
                assertThat(io.await()).as(what).isEqualTo(transfer ? (int) io.lengthBytes() : 0);
                assertThat(io.completions()).as(what).isEqualTo(1);
                if (io.op() == BlockOp.READ) {
                    int offset = (int) io.sector() * SECTOR;
                    assertThat(io.data()).as(what).isEqualTo(Arrays.copyOfRange(expected, offset, offset + (int) io.lengthBytes()));
                }
            }
        }
        assertThat(faults.injected()).as("faults, seed %d", SEED).isGreaterThan(60);
    }

    private TestIo any(SplittableRandom random, byte[] expected, int offset, int length) {
        switch (random.nextInt(8)) {
            case 0 -> {
                return TestIo.flush();
            }
            case 1, 2, 3 -> {
                byte[] bytes = pattern(random.nextLong(), length);
                System.arraycopy(bytes, 0, expected, offset, length);
                TestIo write = TestIo.write(offset / SECTOR, bytes);
                return random.nextInt(4) == 0 ? write.asDurable() : write;
            }
            case 4 -> {
                if (rig().backend.geometry().writeZeroes()) {
                    Arrays.fill(expected, offset, offset + length, (byte) 0);
                    TestIo zeroes = TestIo.writeZeroes(offset / SECTOR, length);
                    return random.nextBoolean() ? zeroes.asUnmapping() : zeroes;
                }
            }
            default -> {}
        }
        return TestIo.read(offset / SECTOR, length);
    }
}
