package dev.sluice.aio.sink;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sluice.linux.CapturedLog;
import dev.sluice.linux.Errno;
import dev.sluice.pipeline.BlockOp;
import dev.sluice.pipeline.BlockRequest;
import dev.sluice.pipeline.SinkCounters;
import dev.sluice.pipeline.testing.TestIo;
import java.io.IOException;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Slots, batches, refusals and the end of a sink. */
@Timeout(60)
class RawSinkTest {
    private static final long MILLIS = 1_000_000;
    private static final int SECTOR = 512;

    private static byte[] bytes(int length) {
        byte[] made = new byte[length];
        new SplittableRandom(length).nextBytes(made);
        return made;
    }

    private static TestIo read(int sector) {
        return TestIo.read(sector, SECTOR);
    }

    /** A FLUSH that does something when it completes. */
    private static final class Hooked extends BlockRequest {
        private final Runnable then;
        private int answers;

        Hooked(SinkRig rig, Runnable then) {
            super(rig.loop, 0, 0);
            this.then = then;
            parsed(BlockOp.FLUSH, 0, 0, 0, 0);
        }

        @Override
        protected void completed(int result) {
            assertThat(result).isZero();
            answers++;
            then.run();
        }
    }

    // ---- slots and batches

    @Test
    void shouldTakeAsManyAsItHasSlotsAndAgainAfterACompletion() throws IOException {
        try (SinkRig rig = new SinkRig(4096)) {
            assertThat(rig.sink.capacity()).isEqualTo(SinkRig.CAPACITY);
            for (int i = 0; i < SinkRig.CAPACITY; i++) {
                assertThat(rig.sink.inFlight()).isEqualTo(i);
                rig.add(read(i));
            }
            BlockRequest oneMore = rig.request(read(0));
            assertThat(rig.sink.submit(oneMore)).isFalse();
            assertThat(oneMore.state()).isEqualTo(BlockRequest.State.PARSED);
            rig.sink.flush();
            rig.end();
            assertThat(rig.sink.submit(oneMore)).isTrue();
            assertThat(oneMore.state()).isEqualTo(BlockRequest.State.SUBMITTED);
            assertThat(rig.sink.inFlight()).isEqualTo(SinkRig.CAPACITY);
            rig.sink.flush();
            rig.endAll();
        }
    }

    @Test
    void shouldStartABatchInTheOrderOfSubmission() throws IOException {
        try (SinkRig rig = new SinkRig(4096)) {
            rig.add(read(7));
            rig.add(read(3));
            rig.add(read(5));
            assertThat(rig.started()).as("before the flush").isEmpty();
            rig.sink.flush();
            assertThat(rig.started()).containsExactly("read direct 512 at 3584", "read direct 512 at 1536", "read direct 512 at 2560");
            assertThat(rig.sink.batches).isEqualTo(1);
            assertThat(rig.sink.counters()).isEqualTo(new SinkCounters(1, 3, 0, 0, 0));
            rig.submit(read(1));
            assertThat(rig.sink.counters()).isEqualTo(new SinkCounters(2, 4, 0, 0, 0));
        }
    }

    @Test
    void shouldFlushOnceForAllThatContinuesInATick() throws IOException {
        try (SinkRig rig = new SinkRig(4096)) {
            rig.submit(TestIo.read(0, 8192), TestIo.read(16, 8192));
            int before = rig.sink.batches;
            rig.sink.end(0, 4096);
            rig.sink.end(0, 4096);
            rig.tick();
            assertThat(rig.sink.batches).isEqualTo(before + 1);
            assertThat(rig.sink.inKernel).hasSize(2);
            rig.end(512);
            assertThat(rig.sink.batches).as("again in a later tick").isEqualTo(before + 2);
        }
    }

    @Test
    void shouldSayWhetherTheKernelIsAtWork() throws IOException {
        try (SinkRig rig = new SinkRig(4096)) {
            assertThat(rig.sink.busy()).isFalse();
            TestIo refused = rig.add(TestIo.read(0, 0));
            assertThat(rig.sink.busy()).isTrue();
            assertThat(rig.sink.awaitsKernel()).isFalse();
            rig.tick();
            assertThat(refused.completed()).isTrue();
            rig.submit(read(0));
            assertThat(rig.sink.awaitsKernel()).isTrue();
            rig.end();
            assertThat(rig.sink.awaitsKernel()).isFalse();
            assertThat(rig.sink.busy()).isFalse();
        }
    }

    // ---- the kernel takes no more

    @Test
    void shouldOfferAgainInOrderAfterPausesThatDoubleTo128Milliseconds() throws IOException {
        try (SinkRig rig = new SinkRig(4096)) {
            rig.sink.refusals = 11;
            rig.submit(read(0), read(1));
            int tries = 1;
            for (long pause : new long[] {1, 2, 4, 8, 16, 32, 64, 128, 128, 128}) {
                assertThat(rig.sink.refusals).isEqualTo(11 - tries);
                rig.loop.advance(pause * MILLIS - 1);
                rig.tick();
                assertThat(rig.sink.refusals).as("before %d ms", pause).isEqualTo(11 - tries);
                rig.loop.advance(1);
                rig.tick();
                tries++;
                assertThat(rig.sink.counters().retries()).isEqualTo(tries);
            }
            assertThat(rig.started()).isEmpty();
            rig.loop.advance(128 * MILLIS);
            rig.tick();
            assertThat(rig.started()).containsExactly("read direct 512 at 0", "read direct 512 at 512");
            rig.sink.refusals = 1;
            rig.submit(TestIo.read(2, 8192));
            assertThat(rig.started()).isEmpty();
            rig.loop.advance(MILLIS);
            rig.tick();
            assertThat(rig.started()).as("the pause is short again").containsExactly("readv direct 8192 in 2 at 1024");
        }
    }

    @Test
    void shouldTryOnceAPauseHoweverOftenItIsFlushed() throws IOException {
        try (SinkRig rig = new SinkRig(4096)) {
            rig.sink.refusals = 1000;
            rig.submit(read(0));
            rig.sink.flush();
            rig.sink.flush();
            int left = rig.sink.refusals;
            rig.loop.advance(MILLIS);
            rig.tick();
            assertThat(rig.sink.refusals).isEqualTo(left - 1);
            rig.loop.advance(MILLIS);
            rig.tick();
            assertThat(rig.sink.refusals).as("the next pause is 2 ms").isEqualTo(left - 1);
            rig.sink.refusals = 0;
            rig.loop.advance(MILLIS);
            rig.tick();
            assertThat(rig.started()).hasSize(1);
        }
    }

    @Test
    void shouldKeepASyncThatTheKernelRefusesForTheNextTry() throws IOException {
        try (SinkRig rig = new SinkRig(4096)) {
            rig.sink.refusals = 1;
            TestIo first = rig.add(TestIo.flush());
            TestIo second = rig.submit(TestIo.flush());
            assertThat(rig.started()).isEmpty();
            rig.loop.advance(MILLIS);
            rig.tick();
            assertThat(rig.started()).containsExactly("sync of its sync file");
            rig.end(0);
            assertThat(first.result()).isZero();
            assertThat(second.result()).isZero();
        }
    }

    // ---- the kernel refuses a request for now

    @ParameterizedTest
    @ValueSource(ints = {Errno.EAGAIN, Errno.EINTR, Errno.ECANCELED})
    void shouldTryFourTimesAtOnceThenPauseAndGiveUpAfterThirtySeconds(int errno) throws IOException {
        try (SinkRig rig = new SinkRig(4096)) {
            TestIo read = rig.submit(read(0));
            for (int i = 0; i < 4; i++) {
                rig.end(-errno);
                assertThat(rig.sink.inKernel).as("tried again in the same tick").hasSize(1);
            }
            long pause = 1;
            long waited = 0;
            while (waited < 30_000) {
                rig.end(-errno);
                assertThat(rig.sink.inKernel).isEmpty();
                rig.loop.advance(pause * MILLIS - 1);
                rig.tick();
                assertThat(rig.sink.inKernel).as("not before %d ms", pause).isEmpty();
                rig.loop.advance(1);
                rig.tick();
                assertThat(rig.sink.inKernel).as("after %d ms", pause).hasSize(1);
                waited += pause;
                pause = Math.min(128, 2 * pause);
            }
            assertThat(read.completed()).isFalse();
            long retries = rig.sink.counters().retries();
            rig.end(-errno);
            assertThat(read.result()).isEqualTo(-Errno.EIO);
            assertThat(rig.sink.counters().retries()).isEqualTo(retries + 1);
            assertThat(rig.sink.cancelled).hasSize(errno == Errno.ECANCELED ? (int) retries + 1 : 0).allMatch(slot -> slot == 0);
        }
    }

    /** What an earlier request or piece was refused does not count. */
    @Test
    void shouldCountRefusalsAfreshForEachPieceAndRequest() throws IOException {
        try (SinkRig rig = new SinkRig(4096)) {
            for (TestIo io : List.of(TestIo.read(0, 8192), TestIo.flush(), TestIo.flush(), TestIo.writeZeroes(0, 8192), TestIo.flush())) {
                rig.submit(io);
                if (io.op() == BlockOp.WRITE_ZEROES) {
                    rig.end(-Errno.EOPNOTSUPP);
                }
                while (!io.completed()) {
                    for (int i = 0; i < 4; i++) {
                        rig.end(-Errno.EAGAIN);
                        assertThat(rig.sink.inKernel).as("%s: at once", io).hasSize(1);
                    }
                    rig.end(Math.min(4096, rig.sink.inKernel.getFirst().bytes()));
                }
            }
        }
    }

    @Test
    void shouldAskTheSeamAboutEachKindOfCall() throws IOException {
        try (SinkRig rig = SinkRig.buffered()) {
            List<CompletionSeam.Call> calls = new ArrayList<>();
            rig.seam((call, result) -> {
                calls.add(call);
                return call == CompletionSeam.Call.ALLOCATE ? -Errno.EOPNOTSUPP : result;
            });
            for (TestIo io : List.of(read(0), TestIo.write(0, bytes(512)), TestIo.flush(), TestIo.writeZeroes(0, 512).asUnmapping())) {
                rig.submit(io);
                rig.endAll();
                assertThat(io.result()).isNotNegative();
            }
            assertThat(calls)
                    .containsExactly(
                            CompletionSeam.Call.READ,
                            CompletionSeam.Call.WRITE,
                            CompletionSeam.Call.SYNC,
                            CompletionSeam.Call.ALLOCATE,
                            CompletionSeam.Call.ALLOCATE,
                            CompletionSeam.Call.WRITE);
        }
    }

    // ---- bugs harm the request that they concern

    @Test
    void shouldFailTheRequestWhoseStartThrowsAndNoOther() throws IOException {
        try (CapturedLog logged = new CapturedLog();
                SinkRig rig = new SinkRig(4096)) {
            rig.sink.throwsBefore = new AssertionError("made up");
            TestIo thrown = rig.add(read(0));
            TestIo next = rig.submit(read(1));
            assertThat(logged.containing("submitting a request failed")).hasSize(1);
            rig.tick();
            assertThat(thrown.result()).isEqualTo(-Errno.EIO);
            rig.end();
            assertThat(next.result()).isEqualTo(SECTOR);
        }
    }

    @Test
    void shouldLeaveARequestToTheKernelIfItsStartThrowsOnceTheKernelHasIt() throws IOException {
        try (SinkRig rig = new SinkRig(4096)) {
            rig.sink.throwsAfter = new AssertionError("made up");
            TestIo io = rig.submit(read(0));
            rig.tick();
            assertThat(io.completed()).isFalse();
            rig.end();
            assertThat(io.result()).isEqualTo(SECTOR);
            assertThat(io.completions()).isEqualTo(1);
        }
    }

    @Test
    void shouldFailTheRequestWhoseCompletionThrowsAndNoOther() throws IOException {
        try (CapturedLog logged = new CapturedLog();
                SinkRig rig = new SinkRig(4096)) {
            TestIo thrown = rig.submit(read(0));
            TestIo next = rig.submit(read(1));
            rig.seam((call, result) -> {
                rig.seam(CompletionSeam.NONE);
                throw new IllegalStateException("made up");
            });
            rig.sink.end();
            rig.sink.end();
            rig.tick();
            assertThat(thrown.result()).isEqualTo(-Errno.EIO);
            assertThat(next.result()).isEqualTo(SECTOR);
            assertThat(logged.containing("a completion failed")).hasSize(1);
        }
    }

    @Test
    void shouldOnlyLogACompletionOfAFreeSlot() throws IOException {
        try (CapturedLog logged = new CapturedLog();
                SinkRig rig = new SinkRig(4096)) {
            TestIo other = rig.submit(read(0));
            rig.sink.collect(1, SECTOR);
            rig.end();
            assertThat(other.result()).isEqualTo(SECTOR);
            assertThat(rig.sink.inFlight()).isZero();
            assertThat(logged.containing("slot 1 has no request")).hasSize(1);
        }
    }

    @Test
    void shouldFreeTheSlotOfARequestWhoseListenerThrows() throws IOException {
        try (CapturedLog logged = new CapturedLog();
                SinkRig rig = new SinkRig(4096)) {
            Hooked hooked = new Hooked(rig, () -> {
                throw new IllegalStateException("made up");
            });
            assertThat(rig.sink.submit(hooked)).isTrue();
            TestIo other = rig.submit(TestIo.flush());
            rig.end(0);
            assertThat(hooked.answers).isEqualTo(1);
            assertThat(other.result()).isZero();
            assertThat(rig.sink.inFlight()).isZero();
            assertThat(logged.containing("completing a request failed")).hasSize(1);
        }
    }

    /** Whoever hears of a completion may submit and flush at once. */
    @Test
    void shouldServeARequestThatIsSubmittedAndFlushedAtTheCompletionOfASync() throws IOException {
        try (SinkRig rig = new SinkRig(4096)) {
            List<TestIo> later = new ArrayList<>();
            Hooked hooked = new Hooked(rig, () -> {
                later.add(rig.submit(TestIo.flush()));
                TestIo refused = rig.add(TestIo.read(0, 0));
                later.add(refused);
            });
            assertThat(rig.sink.submit(hooked)).isTrue();
            TestIo member = rig.add(TestIo.flush());
            rig.sink.flush();
            TestIo waits = rig.submit(TestIo.flush());
            rig.end(0);
            assertThat(member.result()).isZero();
            assertThat(rig.started()).containsExactly("sync of its sync file", "sync of its sync file");
            rig.end(0);
            assertThat(later).allSatisfy(io -> assertThat(io.completions()).isEqualTo(1));
            rig.endAll();
            assertThat(waits.result()).isZero();
        }
    }

    // ---- an image in memory

    @Test
    void shouldMoveALimitedNumberOfBytesATickFromAnImageInMemory() throws IOException {
        try (SinkRig rig = SinkRig.inMemory(65536)) {
            TestIo[] writes = new TestIo[4];
            Arrays.setAll(writes, i -> TestIo.write(128L * i, bytes(65536 + (i < 2 ? 0 : 512 * i))));
            for (TestIo io : writes) {
                rig.add(io);
            }
            rig.sink.flush();
            assertThat(rig.loop.counters().submissions()).as("128 KiB").isEqualTo(2);
            assertThat(rig.sink.awaitsKernel()).isFalse();
            assertThat(rig.sink.counters()).isEqualTo(new SinkCounters(1, 2, 0, 0, 0));
            rig.tick();
            assertThat(writes[0].result()).isEqualTo(65536);
            assertThat(writes[1].completed()).isTrue();
            assertThat(writes[2].completed()).as("its turn is the next").isFalse();
            assertThat(rig.loop.counters().submissions()).isEqualTo(4);
            assertThat(rig.loop.counters().completions()).isEqualTo(4);
            rig.tick();
            assertThat(writes[3].result()).isEqualTo(65536 + 1536);
            byte[] file = Files.readAllBytes(rig.path);
            assertThat(Arrays.copyOfRange(file, 3 * 65536, 4 * 65536 + 1536)).isEqualTo(bytes(65536 + 1536));
        }
    }

    /** Segment length, request length, calls: of at most 1 MiB each. */
    @ParameterizedTest
    @ValueSource(strings = {"2097152 1048576 1", "2097152 1572864 2", "409600 1638400 2", "524288 1048576 1", "524288 1572864 2",
        "1310720 2097152 2", "4096 12288 1"})
    void shouldMoveAMebibyteACallFromAnImageInMemory(String lengths) throws IOException {
        String[] numbers = lengths.split(" ", -1);
        int length = Integer.parseInt(numbers[1]);
        byte[] content = bytes(length);
        try (SinkRig rig = SinkRig.inMemory(Integer.parseInt(numbers[0]))) {
            TestIo write = rig.submit(TestIo.write(1, content).asDurable());
            for (int limit = 0; !write.completed() && limit < 10; limit++) {
                rig.tick();
            }
            assertThat(write.result()).isEqualTo(length);
            assertThat(rig.loop.counters().enters()).isEqualTo(Integer.parseInt(numbers[2]));
            assertThat(Arrays.copyOfRange(Files.readAllBytes(rig.path), 512, 512 + length)).isEqualTo(content);
            TestIo read = rig.submit(TestIo.read(1, length));
            for (int limit = 0; !read.completed() && limit < 10; limit++) {
                rig.tick();
            }
            assertThat(read.result()).isEqualTo(length);
            assertThat(read.data()).isEqualTo(content);
            assertThat(rig.started()).as("a sync means nothing in memory").isEmpty();
        }
    }

    /** Behind the segments of a request lie those of longer ones before it. */
    @Test
    void shouldMoveTheSegmentsOfTheRequestAndNoMore() throws IOException {
        try (SinkRig rig = SinkRig.inMemory(4096)) {
            for (int length : new int[] {12288, 12288, 12288, 12288, 8192}) {
                TestIo write = rig.submit(TestIo.write(1, bytes(length)));
                rig.tick();
                assertThat(write.result()).isEqualTo(length);
            }
            byte[] expected = bytes(12288);
            System.arraycopy(bytes(8192), 0, expected, 0, 8192);
            assertThat(Arrays.copyOfRange(Files.readAllBytes(rig.path), 512, 512 + 12288)).isEqualTo(expected);
        }
    }

    // ---- closing

    @Test
    void shouldTakeNothingAndEndAfterTheLastCompletionOnceItIsClosed() throws IOException {
        try (SinkRig rig = new SinkRig(4096)) {
            int syncFile = rig.sink.syncFd();
            TestIo started = rig.submit(read(0));
            TestIo batched = rig.add(read(1));
            rig.sink.close();
            assertThat(rig.started()).as("what was submitted is started").hasSize(2);
            BlockRequest late = rig.request(read(2));
            assertThat(rig.sink.submit(late)).isFalse();
            late.complete(-Errno.EIO);
            rig.end();
            assertThat(rig.closed).isZero();
            assertThat(rig.sink.releases).isZero();
            rig.end();
            assertThat(rig.closed).isEqualTo(1);
            assertThat(rig.sink.releases).isEqualTo(1);
            assertThat(started.result()).isEqualTo(SECTOR);
            assertThat(batched.result()).isEqualTo(SECTOR);
            assertThat(rig.image.takeSyncFd().number()).as("the next sink's").isEqualTo(syncFile);
            rig.sink.close();
            assertThat(rig.closed).isEqualTo(1);
        }
    }

    @Test
    void shouldEndInTheTickAfterWhatTheKernelNeedNotBeAskedAbout() throws IOException {
        try (SinkRig rig = new SinkRig(4096)) {
            rig.add(TestIo.read(0, 0));
            rig.sink.close();
            assertThat(rig.closed).isZero();
            rig.tick();
            assertThat(rig.closed).isEqualTo(1);
        }
    }

    @Test
    void shouldKeepTheLoopAliveUntilItsRequestsAreBack() throws IOException {
        try (SinkRig rig = new SinkRig(4096)) {
            TestIo io = rig.submit(read(0));
            rig.loop.close();
            rig.loop.ticks(3);
            assertThat(rig.loop.kernelClosed()).isFalse();
            rig.sink.end();
            assertThat(rig.loop.tick()).isTrue();
            assertThat(rig.loop.tick()).isFalse();
            assertThat(io.result()).isEqualTo(SECTOR);
            assertThat(rig.closed).isEqualTo(1);
            assertThat(rig.loop.kernelClosed()).isTrue();
        }
    }

    @Test
    void shouldTellOfItsEndWhateverFailsOnTheWay() throws IOException {
        try (CapturedLog logged = new CapturedLog();
                SinkRig rig = new SinkRig(4096)) {
            rig.sink.throwsAtRelease = new IllegalStateException("made up");
            rig.sink.close();
            assertThat(logged.containing("closing a sink failed")).hasSize(1);
        }
        try (CapturedLog logged = new CapturedLog();
                SinkRig rig = new SinkRig(4096)) {
            assertThat(rig.sink.bounceBuffers.borrow()).isNotZero();
            rig.sink.close();
            assertThat(logged.containing("1 bounce buffers have not come back")).hasSize(1);
        }
    }

    @Test
    void shouldBeClosedByItsLoopAlone() throws IOException {
        try (SinkRig rig = new SinkRig(4096)) {
            CompletableFuture<Void> elsewhere = CompletableFuture.runAsync(rig.sink::close);
            assertThatThrownBy(elsewhere::join).isInstanceOf(CompletionException.class).hasCauseInstanceOf(IllegalStateException.class);
            assertThat(rig.closed).isZero();
        }
    }
}
