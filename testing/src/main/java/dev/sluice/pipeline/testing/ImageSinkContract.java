package dev.sluice.pipeline.testing;

import static dev.sluice.pipeline.testing.ContractRig.CAPACITY;
import static dev.sluice.pipeline.testing.ContractRig.SECTOR;
import static dev.sluice.pipeline.testing.ContractRig.pattern;
import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.linux.Errno;
import dev.sluice.pipeline.BlockBackend;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * What a {@link dev.sluice.pipeline.BlockSink} that makes system calls on an image does beside what {@link BlockSinkContract} asks of every one: the kernel may
 * refuse a call, stop short or fail, and a sync that has failed once is never made good by another.
 *
 * <p>Faults come from {@link SystemCallFaults}, which the sink under test asks about the result of each of its system calls. Random ones come from a
 * seed that failures name; {@code -Dsluice.seed=N} repeats them.
 */
public abstract class ImageSinkContract extends BlockSinkContract {
    private static final long SEED = Long.getLong("sluice.seed", System.nanoTime());

    /** Few enough to be tried at once and with short pauses, too many for a sink that gives up or waits for a completion. */
    private static final int REFUSALS = 8;

    private final SystemCallFaults faults = new SystemCallFaults();

    /**
     * A fresh image of that size, all zeroes. Closed by the contract.
     *
     * @param faults what the sink asks for the result of each system call
     */
    protected abstract BlockBackend openBackend(long sizeBytes, int sinkCapacity, boolean readOnly, SystemCallFaults faults) throws Exception;

    @Override
    protected final BlockBackend openBackend(long sizeBytes, int sinkCapacity, boolean readOnly) throws Exception {
        return openBackend(sizeBytes, sinkCapacity, readOnly, faults);
    }

    /** What happens to the system calls of the sink under test. */
    protected final SystemCallFaults faults() {
        return faults;
    }

    /** Before the contract closes the sink. */
    @AfterEach
    final void injectNothingMore() {
        faults.inject(SystemCallFaults.NONE);
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
        assertThat(rig().read(5, 16384)).isEqualTo(bytes);
        faults.inject(SystemCallFaults.atMost(mostBytes));
        assertThat(rig().read(5, 16384)).isEqualTo(bytes);
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
        assertThat(rig().read(0, 8192)).as("the sink continues").isEqualTo(bytes);
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
        rig().submit(batch);
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
        assertThat(rig().backend().health().writebackFailed()).isFalse();
        faults.inject(SystemCallFaults.always(SystemCallFaults.Call.SYNC, -errno));
        assertThat(result(TestIo.flush())).isEqualTo(-errno);
        faults.inject(SystemCallFaults.NONE);

        assertPromisesNothing();
        assertThat(rig().backend().health().writebackFailed()).isTrue();
        assertThat(result(TestIo.write(16, bytes))).as("what promises nothing is served").isEqualTo(4096);
        assertThat(rig().read(8, 4096)).isEqualTo(bytes);
    }

    /** With the sink under test and with another loop's. */
    private void assertPromisesNothing() throws Exception {
        for (TestIo io : promises()) {
            assertThat(result(io)).as("%s", io).isEqualTo(-Errno.EIO);
        }
        assertThat(rig().resultsOn(openLoop(), promises())).as("the same on another loop").containsOnly(-Errno.EIO);
    }

    private TestIo[] promises() {
        List<TestIo> promises = new ArrayList<>(List.of(TestIo.flush(), TestIo.write(0, new byte[4096]).asDurable()));
        if (rig().backend().geometry().writeZeroes()) {
            promises.add(TestIo.writeZeroes(0, 4096).asDurable());
        }
        if (rig().backend().geometry().discard()) {
            promises.add(TestIo.discard(0, 4096).asDurable());
        }
        return promises.toArray(TestIo[]::new);
    }

    @Test
    void shouldFailWhatWasInFlightTogetherWithASyncThatFailed() throws Exception {
        int[] syncs = {0};
        faults.inject((call, result) -> call == SystemCallFaults.Call.SYNC && syncs[0]++ == 0 ? -Errno.EIO : result);
        TestIo[] flushes = new TestIo[CAPACITY];
        Arrays.setAll(flushes, i -> TestIo.flush());
        rig().submit(flushes);
        assertThat(flushes).extracting(TestIo::await).as("of the flushes that overlap one that failed none succeeds").doesNotContain(0);
        faults.inject(SystemCallFaults.NONE);
        assertPromisesNothing();
    }

    @Test
    void shouldFailARequestWhoseOwnSyncFails() throws Exception {
        if (!rig().backend().geometry().writeZeroes()) {
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
        assertThat(rig().backend().health().writebackFailed()).isFalse();
    }

    // ---- other failures

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
        rig().submit(batch);
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
        if (rig().backend().geometry().writeZeroes()) {
            assertThat(result).isGreaterThanOrEqualTo(0);
            Arrays.fill(bytes, 4096, 8192, (byte) 0);
        } else {
            assertThat(result).isEqualTo(-Errno.EOPNOTSUPP);
        }
        assertThat(rig().read(8, 12288)).isEqualTo(bytes);
    }

    @Test
    void shouldReportThatItCannotDiscardIfTheFileSystemCannot() {
        byte[] bytes = pattern(18, 12288);
        assertThat(result(TestIo.write(8, bytes))).isEqualTo(12288);
        faults.inject(SystemCallFaults.always(SystemCallFaults.Call.ALLOCATE, -Errno.EOPNOTSUPP));
        assertThat(result(TestIo.discard(16, 4096))).isEqualTo(-Errno.EOPNOTSUPP);
        assertThat(Arrays.copyOf(rig().read(8, 12288), 4096)).isEqualTo(Arrays.copyOf(bytes, 4096));
        assertThat(Arrays.copyOfRange(rig().read(8, 12288), 8192, 12288)).isEqualTo(Arrays.copyOfRange(bytes, 8192, 12288));
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void shouldCompleteOnceWhatWasAbandonedWhateverTheKernelDoes(boolean flushedBefore) {
        faults.inject(SystemCallFaults.unreliable(SEED));
        assertCompletesWhatIsAbandoned(flushedBefore, "seed " + SEED);
    }

    @Test
    void shouldCompleteWhatTheKernelStillRefusesWhenItIsClosed() {
        faults.inject(SystemCallFaults.unreliable(SEED));
        List<TestIo> ios = new ArrayList<>();
        rig().run(() -> {
            for (int i = 0; i < CAPACITY; i++) {
                TestIo io = i % 2 == 0 ? TestIo.read(32L * i, 16384) : TestIo.write(32L * i, new byte[16384]);
                ios.add(io);
                assertThat(rig().sink().submit(rig().parsed(io))).isTrue();
            }
            rig().sink().close();
        });
        ios.forEach(TestIo::await);
        rig().run(() -> assertThat(rig().sink().inFlight()).isZero());
        assertThat(ios).as("seed %d", SEED).allMatch(io -> io.completions() == 1 && io.result() == 16384);
    }

    @Test
    void shouldAgreeWithAnArrayWhateverTheKernelDoes() {
        faults.inject(SystemCallFaults.unreliable(new SplittableRandom(SEED).nextLong()));
        rig().agreesWithAnArray(SEED, 60);
        assertThat(faults.injected()).as("faults, seed %d", SEED).isGreaterThan(60);
    }
}
