package dev.sluice.aio.sink;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sluice.linux.CapturedLog;
import dev.sluice.linux.Errno;
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

/** Slots, batches and the end of a sink. */
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
    void shouldStartTheFirstFewBeforeTheTickEnds() throws IOException {
        try (SinkRig rig = new SinkRig(4096)) {
            for (int i = 0; i < 7; i++) {
                rig.add(read(i));
            }
            assertThat(rig.started()).hasSize(4);
            assertThat(rig.sink.handOvers).as("nothing waits for the tick's end").isEqualTo(1);
            rig.add(read(7));
            assertThat(rig.started()).as("as many as the kernel has").hasSize(4);
            assertThat(rig.sink.handOvers).isEqualTo(2);
            rig.add(read(8));
            rig.sink.flush();
            assertThat(rig.started()).hasSize(1);
            assertThat(rig.sink.handOvers).isEqualTo(2);
            assertThat(rig.sink.batches).isEqualTo(3);
        }
    }

    @Test
    void shouldShowTheFirstOfManyCompletionsBeforeItActsOnTheRest() throws IOException {
        try (SinkRig rig = new SinkRig(4096)) {
            TestIo[] ios = new TestIo[SinkRig.CAPACITY];
            for (int i = 0; i < ios.length; i++) {
                ios[i] = rig.add(read(i));
            }
            rig.sink.flush();
            for (int i = 0; i < ios.length; i++) {
                rig.sink.end();
            }
            rig.tick();
            assertThat(Arrays.stream(ios).filter(TestIo::completed)).hasSize(GrowingBatches.FIRST_COMPLETIONS);
            assertThat(rig.sink.busy()).isTrue();
            rig.tick();
            assertThat(rig.loop.leaves()).as("no wait before the rest").endsWith(false);
            assertThat(ios).allMatch(TestIo::completed);
        }
    }

    @Test
    void shouldLetAllFlushesOfATickShareASync() throws IOException {
        try (SinkRig rig = new SinkRig(4096)) {
            for (int i = 0; i < SinkRig.CAPACITY; i++) {
                rig.add(TestIo.flush());
            }
            assertThat(rig.started()).as("before the tick ends").isEmpty();
            rig.sink.flush();
            assertThat(rig.started()).containsExactly("sync of its sync file");
            rig.end(0);
            assertThat(rig.sink.inFlight()).isZero();
        }
    }

    @Test
    void shouldStartNothingEarlyWhereTheKernelCompletesAtOnce() throws IOException {
        try (SinkRig buffered = SinkRig.buffered();
                SinkRig memory = SinkRig.inMemory(4096)) {
            for (int i = 0; i < 16; i++) {
                buffered.add(read(i));
            }
            for (int i = 0; i < 4; i++) {
                memory.add(read(i));
            }
            assertThat(buffered.started()).isEmpty();
            assertThat(memory.loop.counters().submissions()).isZero();
            buffered.sink.flush();
            memory.sink.flush();
            memory.tick();
        }
    }

    @Test
    void shouldLeaveTheKernelAloneDuringAPauseHoweverManyRequestsCome() throws IOException {
        try (SinkRig rig = new SinkRig(4096)) {
            rig.sink.refusals = 2;
            rig.submit(read(0));
            for (int i = 1; i < 16; i++) {
                rig.add(read(i));
            }
            assertThat(rig.sink.refusals).isEqualTo(1);
            rig.loop.advance(MILLIS);
            rig.tick();
            rig.loop.advance(2 * MILLIS);
            rig.tick();
            assertThat(rig.started()).hasSize(16);
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
