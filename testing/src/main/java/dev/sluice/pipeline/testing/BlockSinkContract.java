package dev.sluice.pipeline.testing;

import static dev.sluice.pipeline.testing.ContractRig.CAPACITY;
import static dev.sluice.pipeline.testing.ContractRig.DISK_BYTES;
import static dev.sluice.pipeline.testing.ContractRig.SECTOR;
import static dev.sluice.pipeline.testing.ContractRig.pattern;
import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.linux.Errno;
import dev.sluice.pipeline.BlockBackend;
import dev.sluice.pipeline.BlockOp;
import dev.sluice.pipeline.BlockRequest;
import dev.sluice.pipeline.IoLoop;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * What every {@link dev.sluice.pipeline.BlockSink} does, wherever it keeps the data, stated over {@code dev.sluice.pipeline} alone. The test of a kind of sink
 * extends it and names the sink with {@link TestsSink}; the build of Sluice fails for a sink without one. A sink that makes system calls on an image extends
 * {@link ImageSinkContract} instead, which adds what it owes when one of them is refused, stops short or fails.
 *
 * <p>Requests are {@link TestRequest}s of 512 bytes to 16 KiB at any sector: a disk with a larger logical block is to be opened so that it takes them.
 *
 * <p>{@code MemorySinkTest}, among the tests of sluice-testing, is a small example.
 */
public abstract class BlockSinkContract {
    /** Nothing aligns with it: segments begin at odd addresses of memory. */
    private static final int CROOKED_SEGMENT_BYTES = 1001;

    private @Nullable ContractRig rig;

    // ---- what the test of a kind of sink provides

    /** A loop of the kind that the backend needs, running. Closed by the contract. */
    protected abstract IoLoop openLoop() throws Exception;

    /** A fresh disk of that size, all zeroes. Closed by the contract. */
    protected abstract BlockBackend openBackend(long sizeBytes, int sinkCapacity, boolean readOnly) throws Exception;

    /** The bytes that are on stable storage, as far as can be seen from outside. Nothing is in flight. */
    protected abstract byte[] stableContents() throws Exception;

    // ---- the rig

    @BeforeEach
    final void open() throws Exception {
        open(false);
    }

    private void open(boolean readOnly) throws Exception {
        rig = ContractRig.open(openLoop(), openBackend(DISK_BYTES, CAPACITY, readOnly));
    }

    @AfterEach
    final void close() {
        rig().close();
        rig = null;
    }

    final ContractRig rig() {
        ContractRig open = rig;
        if (open == null) {
            throw new IllegalStateException("not opened");
        }
        return open;
    }

    /** Submits a request of its own and returns what it was completed with. */
    protected final int result(TestIo io) {
        return rig().result(io);
    }

    // ---- the contract

    @Test
    void shouldBeTheSinkThatTheTestIsAbout() {
        Class<?> type = getClass();
        while (!type.isAnnotationPresent(TestsSink.class)) {
            assertThat(type).as("no @TestsSink on %s", getClass()).isNotEqualTo(BlockSinkContract.class);
            type = type.getSuperclass();
        }
        assertThat(rig().sink()).isExactlyInstanceOf(type.getAnnotation(TestsSink.class).value());
    }

    @ParameterizedTest
    @ValueSource(ints = {512, 1024, 4096, 4608, 16384})
    void shouldReadBackWhatWasWritten(int length) {
        byte[] bytes = pattern(length, length);
        assertThat(result(TestIo.write(3, bytes))).isEqualTo(length);
        assertThat(rig().read(3, length)).isEqualTo(bytes);
        assertThat(rig().read(0, 3 * SECTOR)).as("the sectors before").containsOnly(0);
        assertThat(rig().read(3 + length / SECTOR, SECTOR)).as("the sector behind").containsOnly(0);
    }

    @ParameterizedTest
    @ValueSource(ints = {512, 4096, 9216, 16384})
    void shouldMoveDataOfSegmentsThatAreNotAligned(int length) {
        try (TestQueue crooked = new TestQueue(rig().loop(), 1, 4, TestQueue.DEFAULT_ROOM_BYTES, CROOKED_SEGMENT_BYTES)) {
            byte[] bytes = pattern(length, length);
            assertThat(rig().result(crooked, TestIo.write(8, bytes))).isEqualTo(length);
            assertThat(rig().read(8, length)).isEqualTo(bytes);
            TestIo read = TestIo.read(8, length);
            assertThat(rig().result(crooked, read)).isEqualTo(length);
            assertThat(read.data()).isEqualTo(bytes);
        }
    }

    @Test
    void shouldCompleteEveryRequestOnceAndAgreeWithAnArray() {
        rig().agreesWithAnArray(42, 100);
    }

    @Test
    void shouldNotCompleteInsideSubmit() {
        TestIo write = TestIo.write(0, new byte[SECTOR]);
        TestIo empty = TestIo.read(0, 0);
        rig().run(() -> {
            for (TestIo io : List.of(write, empty)) {
                BlockRequest request = rig().parsed(io);
                assertThat(rig().sink().submit(request)).isTrue();
                assertThat(request.state()).isEqualTo(BlockRequest.State.SUBMITTED);
                assertThat(io.completed()).isFalse();
            }
            assertThat(rig().sink().inFlight()).isEqualTo(2);
            rig().loop().atTickEnd(rig().sink()::flush);
        });
        assertThat(write.await()).isEqualTo(SECTOR);
        assertThat(empty.await()).isZero();
    }

    @Test
    void shouldLeaveARequestAloneWhenItIsFullAndTakeItAfterACompletion() {
        List<TestIo> taken = new ArrayList<>();
        List<BlockRequest> refused = new ArrayList<>();
        TestIo late = TestIo.read(0, SECTOR);
        rig().run(() -> {
            for (int i = 0; i < rig().sink().capacity(); i++) {
                TestIo io = TestIo.read(i, SECTOR);
                taken.add(io);
                assertThat(rig().sink().submit(rig().parsed(io))).isTrue();
            }
            assertThat(rig().sink().inFlight()).isEqualTo(rig().sink().capacity());
            BlockRequest request = rig().parsed(late);
            assertThat(rig().sink().submit(request)).isFalse();
            assertThat(request.state()).isEqualTo(BlockRequest.State.PARSED);
            refused.add(request);
            rig().loop().atTickEnd(rig().sink()::flush);
        });
        taken.forEach(io -> assertThat(io.await()).isEqualTo(SECTOR));
        assertThat(late.completed()).isFalse();
        rig().run(() -> {
            assertThat(rig().sink().submit(refused.getFirst())).isTrue();
            rig().loop().atTickEnd(rig().sink()::flush);
        });
        assertThat(late.await()).isEqualTo(SECTOR);
    }

    @Test
    void shouldSucceedAtOnceWithRequestsOfNoLength() {
        assertThat(result(TestIo.read(1, 0))).isZero();
        assertThat(result(TestIo.write(1, new byte[0]))).isZero();
        if (rig().backend().geometry().writeZeroes()) {
            assertThat(result(TestIo.writeZeroes(1, 0))).isZero();
        }
        if (rig().backend().geometry().discard()) {
            assertThat(result(TestIo.discard(1, 0))).isZero();
        }
    }

    @Test
    void shouldReachTheLastSector() {
        long last = DISK_BYTES / SECTOR - 1;
        byte[] bytes = pattern(7, SECTOR);
        assertThat(result(TestIo.write(last, bytes))).isEqualTo(SECTOR);
        assertThat(rig().read(last, SECTOR)).isEqualTo(bytes);
        assertThat(rig().backend().geometry().sectors()).isEqualTo(last + 1);
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
        assertThat(rig().read(last, SECTOR)).as("the sink continues").isEqualTo(pattern(8, SECTOR));
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

    @Test
    void shouldCompleteEachOfManyThatNeedASyncAtOnce() {
        for (int round = 0; round < 20; round++) {
            TestIo[] again = new TestIo[CAPACITY];
            Arrays.setAll(again, i -> i % 2 == 0 ? TestIo.flush() : TestIo.write(8L * i, new byte[4096]).asDurable());
            rig().submit(again);
            for (TestIo io : again) {
                assertThat(io.await()).as("%s", io).isEqualTo(io.op() == BlockOp.FLUSH ? 0 : 4096);
            }
            rig().run(() -> assertThat(rig().sink().inFlight()).isZero());
            assertThat(again).allMatch(io -> io.completions() == 1);
        }
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void shouldWriteZeroesAndNothingElse(boolean unmapping) {
        byte[] bytes = pattern(11, 12288);
        assertThat(result(TestIo.write(8, bytes))).isEqualTo(12288);
        TestIo zeroes = TestIo.writeZeroes(16, 4096);
        int result = result(unmapping ? zeroes.asUnmapping() : zeroes);
        if (rig().backend().geometry().writeZeroes()) {
            assertThat(result).isGreaterThanOrEqualTo(0);
            Arrays.fill(bytes, 4096, 8192, (byte) 0);
        } else {
            assertThat(result).isEqualTo(-Errno.EOPNOTSUPP);
        }
        assertThat(rig().read(8, 12288)).isEqualTo(bytes);
    }

    @Test
    void shouldDiscardNothingElse() {
        byte[] bytes = pattern(12, 12288);
        assertThat(result(TestIo.write(8, bytes))).isEqualTo(12288);
        int result = result(TestIo.discard(16, 4096));
        byte[] after = rig().read(8, 12288);
        if (rig().backend().geometry().discard()) {
            assertThat(result).isGreaterThanOrEqualTo(0);
        } else {
            assertThat(result).isEqualTo(-Errno.EOPNOTSUPP);
            assertThat(after).isEqualTo(bytes);
        }
        assertThat(Arrays.copyOf(after, 4096)).isEqualTo(Arrays.copyOf(bytes, 4096));
        assertThat(Arrays.copyOfRange(after, 8192, 12288)).isEqualTo(Arrays.copyOfRange(bytes, 8192, 12288));
    }

    @Test
    void shouldRefuseChangesToAReadOnlyImage() throws Exception {
        close();
        open(true);
        assertThat(rig().backend().geometry().readOnly()).isTrue();
        for (TestIo change : List.of(TestIo.write(0, pattern(19, 4096)), TestIo.discard(0, 4096), TestIo.writeZeroes(0, 4096))) {
            assertThat(result(change)).as("%s", change).isEqualTo(-Errno.EROFS);
        }
        assertThat(result(TestIo.flush())).isZero();
        assertThat(rig().read(0, 4096)).containsOnly(0);
    }

    /** Whoever abandons requests still gets each of them back, as the sink has their memory until then. */
    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void shouldCompleteOnceWhatWasAbandonedInFlight(boolean flushedBefore) {
        assertCompletesWhatIsAbandoned(flushedBefore, "");
    }

    /** A sink may complete requests inside a flush: only what was in flight after it counts as abandoned. */
    final void assertCompletesWhatIsAbandoned(boolean flushedBefore, String what) {
        List<TestIo> ios = new ArrayList<>();
        List<TestIo> inFlight = new ArrayList<>();
        rig().run(() -> {
            for (int i = 0; i < CAPACITY; i++) {
                TestIo io = i % 2 == 0 ? TestIo.read(8L * i, 4096) : TestIo.write(8L * i, new byte[4096]);
                ios.add(io);
                assertThat(rig().sink().submit(rig().parsed(io))).isTrue();
            }
            if (flushedBefore) {
                rig().sink().flush();
            }
            ios.stream().filter(io -> !io.completed()).forEach(inFlight::add);
            rig().queue().abandonAll();
            if (!flushedBefore) {
                rig().sink().flush();
            }
        });
        ios.forEach(TestIo::await);
        rig().run(() -> assertThat(rig().sink().inFlight()).isZero());
        assertThat(ios).as(what).allMatch(io -> io.completions() == 1 && io.abandoned() == inFlight.contains(io));
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void shouldCompleteWhatIsInFlightWhenItIsClosed(boolean flushedBefore) {
        List<TestIo> ios = new ArrayList<>();
        TestIo refused = TestIo.read(0, SECTOR);
        rig().run(() -> {
            for (int i = 0; i < CAPACITY; i++) {
                TestIo io = i % 2 == 0 ? TestIo.read(i, SECTOR) : TestIo.write(i, new byte[SECTOR]);
                ios.add(io);
                assertThat(rig().sink().submit(rig().parsed(io))).isTrue();
            }
            if (flushedBefore) {
                rig().sink().flush();
            }
            rig().sink().close();
            rig().sink().close();
            BlockRequest request = rig().parsed(refused);
            assertThat(rig().sink().submit(request)).as("nothing is taken any more").isFalse();
            request.complete(-Errno.ESHUTDOWN);
        });
        ios.forEach(TestIo::await);
        rig().run(() -> {
            assertThat(rig().sink().inFlight()).isZero();
            rig().sink().close();
        });
        assertThat(ios).allMatch(io -> io.completions() == 1);
    }

    @Test
    void shouldServeTwoLoopsFromOneBackend() throws Exception {
        byte[] bytes = pattern(13, 4096);
        assertThat(result(TestIo.write(64, bytes))).isEqualTo(4096);
        TestIo read = TestIo.read(64, 4096);
        assertThat(rig().resultsOn(openLoop(), read)).containsExactly(4096);
        assertThat(read.data()).isEqualTo(bytes);
    }
}
