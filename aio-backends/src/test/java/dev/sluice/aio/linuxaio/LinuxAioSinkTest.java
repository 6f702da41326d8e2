package dev.sluice.aio.linuxaio;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sluice.aio.loop.HandDrivenLoop;
import dev.sluice.aio.loop.OpenFiles;
import dev.sluice.aio.raw.RawImage;
import dev.sluice.aio.sink.CompletionSeam;
import dev.sluice.aio.threads.CallThreads;
import dev.sluice.linux.CapturedLog;
import dev.sluice.linux.Errno;
import dev.sluice.linux.Iocb;
import dev.sluice.linux.Iovec;
import dev.sluice.linux.LinuxFile;
import dev.sluice.pipeline.BackendOptions;
import dev.sluice.pipeline.BlockBackend;
import dev.sluice.pipeline.BlockRequest;
import dev.sluice.pipeline.BlockSink;
import dev.sluice.pipeline.testing.LoopDevice;
import dev.sluice.pipeline.testing.TestIo;
import dev.sluice.pipeline.testing.TestQueue;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What the sink hands to io_submit and when, and what it does about what comes back. */
@Timeout(60)
class LinuxAioSinkTest {
    private static final long MILLIS = 1_000_000;
    private static final int SECTOR = 512;

    private final Path path = Files.createTempFile(Path.of("target"), "sluice-aio", ".raw");
    private final HandDrivenLoop loop = new HandDrivenLoop();
    private final ScriptedAio kernel = new ScriptedAio();
    private final TestQueue queue = new TestQueue(loop, 0, 32);
    private final long filesBefore;
    private final LinuxAioBackend backend;
    private final BlockSink sink;
    private boolean ended;

    LinuxAioSinkTest() throws IOException {
        Path _ = LoopDevice.sparse(path, 1 << 20);
        filesBefore = OpenFiles.count();
        backend = (LinuxAioBackend) LinuxAioBackendProvider.open(BackendOptions.of(path).withSinkCapacity(16), kernel, CompletionSeam.NONE);
        sink = backend.openSink(loop);
    }

    @AfterEach
    void end() throws IOException {
        if (!ended) {
            assertThat(sink.inFlight()).isZero();
            sink.close();
        }
        backend.close();
        loop.end();
        queue.close();
        Files.delete(path);
        assertThat(loop.watched()).isEmpty();
    }

    private BlockRequest request(TestIo io) {
        queue.submit(io);
        return Objects.requireNonNull(queue.poll());
    }

    private TestIo submit(TestIo... ios) {
        for (TestIo io : ios) {
            assertThat(sink.submit(request(io))).isTrue();
        }
        sink.flush();
        return ios[0];
    }

    private void complete(int slot, int result) {
        kernel.complete(slot, result);
        loop.readable();
        loop.ticks(1);
    }

    @Test
    void shouldFillAnIocbForEachKindOfCall() {
        BlockRequest vectored = request(TestIo.write(8, new byte[8192]).asDurable());
        BlockRequest single = request(TestIo.read(16, 4096));
        BlockRequest readv = request(TestIo.read(16, 8192));
        BlockRequest write = request(TestIo.write(32, new byte[512]));
        BlockRequest flush = request(TestIo.flush());
        // The sync keeps the batch together.
        for (BlockRequest request : List.of(flush, vectored, single, readv, write)) {
            assertThat(sink.submit(request)).isTrue();
        }
        assertThat(kernel.asked).isEmpty();
        sink.flush();
        assertThat(kernel.asked).as("one system call").containsExactly(5);
        int fd = backend.rawImage().fd();
        int eventFd = loop.watched().getFirst();
        long address = Iovec.base(single.iovecsAddress(), 0);
        long written = Iovec.base(write.iovecsAddress(), 0);
        assertThat(kernel.taken.subList(1, 5))
                .containsExactly(
                        new ScriptedAio.Taken(Iocb.IOCB_CMD_PWRITEV, fd, vectored.iovecsAddress(), 2, 4096, LinuxFile.RWF_DSYNC, 1, 1, eventFd),
                        new ScriptedAio.Taken(Iocb.IOCB_CMD_PREAD, fd, address, 4096, 8192, 0, 2, 1, eventFd),
                        new ScriptedAio.Taken(Iocb.IOCB_CMD_PREADV, fd, readv.iovecsAddress(), 2, 8192, 0, 3, 1, eventFd),
                        new ScriptedAio.Taken(Iocb.IOCB_CMD_PWRITE, fd, written, 512, 16384, 0, 4, 1, eventFd));
        ScriptedAio.Taken sync = kernel.taken.get(0);
        assertThat(sync.opcode()).isEqualTo(Iocb.IOCB_CMD_FDSYNC);
        assertThat(sync.fd()).as("an open file of its own").isNotEqualTo(fd);
        assertThat(sync.resultFd()).isEqualTo(eventFd);
        assertThat(loop.counters().submissions()).isEqualTo(5);
        assertThat(loop.counters().enters()).isEqualTo(1);
        int[] results = {0, 8192, 4096, 8192, 512};
        for (int slot = 0; slot < results.length; slot++) {
            kernel.complete(slot, results[slot]);
        }
        loop.readable();
        loop.ticks(1);
        assertThat(List.of(vectored.result(), single.result(), readv.result(), write.result(), flush.result())).containsExactly(8192, 4096, 8192, 512, 0);
        // The watch is a handle of the loop's, which counts its completion.
        assertThat(loop.counters().completions()).isEqualTo(5 + 1);
        assertThat(loop.counters().enters()).as("io_getevents").isEqualTo(2);
        assertThat(sink.inFlight()).isZero();
    }

    @Test
    void shouldSubmitEarlyInBatchesThatGrow() {
        for (int i = 0; i < 13; i++) {
            assertThat(sink.submit(request(TestIo.read(i, SECTOR)))).isTrue();
        }
        assertThat(kernel.asked).as("before the tick ends").containsExactly(4, 4);
        sink.flush();
        assertThat(kernel.asked).containsExactly(4, 4, 5);
        for (int slot = 0; slot < 13; slot++) {
            kernel.complete(slot, SECTOR);
        }
        loop.readable();
        loop.ticks(1);
        assertThat(sink.inFlight()).isZero();
    }

    @Test
    void shouldOwnWhatItHasAcceptedThoughAnEarlySubmissionThrows() {
        kernel.submitThrows = new IllegalStateException("injected");
        TestIo[] ios = new TestIo[4];
        try (CapturedLog logged = new CapturedLog()) {
            for (int i = 0; i < ios.length; i++) {
                ios[i] = TestIo.read(i, SECTOR);
                assertThat(sink.submit(request(ios[i]))).isTrue();
            }
            assertThat(logged.text()).contains("submitting a batch", "injected");
        }
        assertThat(kernel.taken).isEmpty();
        sink.flush();
        assertThat(kernel.asked).as("all of them again").containsExactly(4, 4);
        for (int slot = 0; slot < ios.length; slot++) {
            complete(slot, SECTOR);
            assertThat(ios[slot].result()).isEqualTo(SECTOR);
        }
    }

    @Test
    void shouldSubmitTheRestAfterTheNextCompletionOnlyIfTheKernelIsFull() {
        kernel.submissions.addAll(List.of(1, -Errno.EAGAIN));
        TestIo first = TestIo.read(0, SECTOR);
        TestIo second = TestIo.read(8, SECTOR);
        submit(first, second);
        assertThat(sink.counters().retries()).isEqualTo(1);
        loop.advance(1000 * MILLIS);
        loop.ticks(2);
        sink.flush();
        loop.readable();
        loop.ticks(2);
        assertThat(kernel.asked).as("nothing has changed").containsExactly(2, 1);
        complete(0, SECTOR);
        assertThat(first.result()).isEqualTo(SECTOR);
        assertThat(kernel.asked).containsExactly(2, 1, 1);
        complete(1, SECTOR);
        assertThat(second.result()).isEqualTo(SECTOR);
        TestIo third = submit(TestIo.read(0, SECTOR));
        assertThat(kernel.asked).hasSize(4);
        complete(1, SECTOR);
        assertThat(third.completed()).isTrue();
    }

    @Test
    void shouldTryAgainAfterPausesThatDoubleIfNothingIsInTheKernel() {
        for (int i = 0; i < 10; i++) {
            kernel.submissions.add(-Errno.EAGAIN);
        }
        TestIo io = submit(TestIo.read(0, SECTOR));
        int tries = 1;
        for (long pause : new long[] {1, 2, 4, 8, 16, 32, 64, 128, 128}) {
            loop.advance(pause * MILLIS - 1);
            loop.ticks(1);
            sink.flush();
            assertThat(kernel.asked).as("before %d ms", pause).hasSize(tries);
            loop.advance(1);
            loop.ticks(1);
            tries++;
            assertThat(kernel.asked).as("after %d ms", pause).hasSize(tries);
        }
        loop.advance(128 * MILLIS);
        loop.ticks(1);
        assertThat(kernel.taken).hasSize(1);
        complete(0, SECTOR);
        assertThat(io.result()).isEqualTo(SECTOR);
        kernel.submissions.add(-Errno.EAGAIN);
        TestIo next = submit(TestIo.read(0, SECTOR));
        loop.advance(MILLIS);
        loop.ticks(1);
        assertThat(kernel.taken).as("the pause is short again").hasSize(2);
        complete(0, SECTOR);
        assertThat(next.completed()).isTrue();
    }

    @Test
    void shouldFailTheOneThatIsRefusedForGood() {
        kernel.submissions.add(-Errno.EFAULT);
        TestIo refused = TestIo.read(0, SECTOR);
        TestIo other = TestIo.read(8, SECTOR);
        submit(refused, other);
        assertThat(refused.completed()).as("never inside a flush").isFalse();
        assertThat(loop.counters().completions()).isEqualTo(1);
        loop.ticks(1);
        assertThat(refused.result()).isEqualTo(-Errno.EFAULT);
        complete(1, SECTOR);
        assertThat(other.result()).isEqualTo(SECTOR);
        kernel.submissions.add(-Errno.EINVAL);
        TestIo flush = submit(TestIo.flush());
        assertThat(flush.completed()).isFalse();
        loop.tickUntil(flush::completed);
        assertThat(flush.result()).as("synced by a thread").isZero();
        kernel.submissions.add(-Errno.EIO);
        TestIo read = submit(TestIo.read(0, SECTOR));
        loop.ticks(1);
        assertThat(read.result()).isEqualTo(-Errno.EIO);
        int asked = kernel.asked.size();
        TestIo again = submit(TestIo.flush());
        loop.tickUntil(again::completed);
        assertThat(kernel.asked).as("the kernel is not asked again").hasSize(asked);
        assertThat(loop.counters().completions()).as("one each, and the wake-up").isEqualTo(7);
        assertThat(sink.counters().retries()).as("of the sync, once, as it was refused").isEqualTo(1);
    }

    @Test
    void shouldFailASyncThatIsRefusedForAnotherReason() {
        kernel.submissions.add(-Errno.EIO);
        TestIo flush = submit(TestIo.flush());
        loop.ticks(1);
        assertThat(flush.result()).isEqualTo(-Errno.EIO);
    }

    @Test
    void shouldGoThroughThePageCacheIfODirectIsRefusedAtSubmission() {
        kernel.submissions.add(-Errno.EINVAL);
        TestIo read = submit(TestIo.read(0, SECTOR));
        loop.tickUntil(read::completed);
        assertThat(read.result()).isEqualTo(SECTOR);
        assertThat(kernel.taken).isEmpty();
        assertThat(kernel.asked).hasSize(1);
    }

    @Test
    void shouldMakeNothingOfAWakeUpWithoutACompletion() {
        TestIo io = submit(TestIo.read(0, SECTOR));
        try (CapturedLog logged = new CapturedLog()) {
            loop.readable();
            loop.ticks(1);
            loop.advance(1000 * MILLIS);
            loop.ticks(2);
            assertThat(kernel.reaps).isEqualTo(1);
            assertThat(logged.containing("io_getevents")).isEmpty();
        }
        complete(0, SECTOR);
        assertThat(io.completed()).isTrue();
    }

    /** Whether a loop that has a turn, and nothing to submit, enters the kernel for the sink's sake. */
    private boolean entersForTheSink() {
        loop.submissionsWait(false);
        loop.requestTurn(() -> false);
        int before = loop.leaves().size();
        loop.ticks(1);
        loop.submissionsWait(true);
        return loop.leaves().size() > before;
    }

    @Test
    void shouldHaveTheLoopEnterTheKernelAsLongAsItAwaitsSomething() throws Exception {
        loop.ticks(1);
        assertThat(entersForTheSink()).isFalse();
        kernel.submissions.add(-Errno.EAGAIN);
        TestIo io = submit(TestIo.read(0, SECTOR));
        assertThat(entersForTheSink()).as("waits for io_submit").isTrue();
        loop.advance(MILLIS);
        loop.ticks(1);
        assertThat(kernel.taken).hasSize(1);
        assertThat(entersForTheSink()).as("in the kernel").isTrue();
        complete(0, SECTOR);
        assertThat(io.completed()).isTrue();
        assertThat(entersForTheSink()).isFalse();
        CountDownLatch hold = new CountDownLatch(1);
        for (int i = 0; i < 4; i++) {
            assertThat(backend.threads().run(() -> {
                try {
                    hold.await();
                } catch (InterruptedException stopped) {
                    Thread.currentThread().interrupt();
                }
            })).isTrue();
        }
        TestIo zeroes = submit(TestIo.writeZeroes(0, SECTOR));
        assertThat(entersForTheSink()).as("on a thread").isTrue();
        hold.countDown();
        loop.tickUntil(zeroes::completed);
    }

    @Test
    void shouldSyncOnThreadsIfTheKernelCannotAndKeepOrderIfThereIsNone() throws IOException {
        Path other = LoopDevice.sparse(Files.createTempFile(Path.of("target"), "sluice-aio", ".raw"), 1 << 20);
        int[] refusals = {0};
        CallThreads threads = new CallThreads("test-", 1, work -> {
            if (refusals[0]-- > 0) {
                throw new OutOfMemoryError("made up");
            }
            return Thread.ofPlatform().daemon().unstarted(work);
        });
        LinuxAioBackend without = new LinuxAioBackend(RawImage.open(BackendOptions.of(other)), 16, false, threads, kernel, CompletionSeam.NONE);
        BlockSink withoutSyncs = without.openSink(loop);
        refusals[0] = 1;
        TestIo flush = TestIo.flush();
        TestIo zeroes = TestIo.writeZeroes(0, SECTOR);
        submitTo(withoutSyncs, flush, zeroes);
        assertThat(withoutSyncs.counters().retries()).as("no thread").isEqualTo(1);
        loop.advance(MILLIS);
        loop.tickUntil(() -> flush.completed() && zeroes.completed());
        assertThat(flush.result()).isZero();
        assertThat(zeroes.result()).isZero();
        assertThat(kernel.asked).isEmpty();
        assertThat(withoutSyncs.counters().operations()).isEqualTo(2);
        withoutSyncs.close();
        without.close();
        Files.delete(other);
    }

    private void submitTo(BlockSink to, TestIo... ios) {
        for (TestIo io : ios) {
            assertThat(to.submit(request(io))).isTrue();
        }
        to.flush();
    }

    /** Completions of the kernel's own ring take no system call. */
    @Test
    void shouldReadCompletionsInPlace() throws IOException {
        Path other = LoopDevice.sparse(Files.createTempFile(Path.of("target"), "sluice-aio", ".raw"), 1 << 20);
        BlockBackend real = LinuxAioBackendProvider.open(BackendOptions.of(other).withSinkCapacity(16), AioCalls.KERNEL, CompletionSeam.NONE);
        BlockSink realSink = real.openSink(loop);
        TestIo io = TestIo.read(0, SECTOR);
        submitTo(realSink, io);
        loop.tickUntil(() -> {
            loop.readable();
            return io.completed();
        });
        assertThat(io.result()).isEqualTo(SECTOR);
        // The scripted sink's watch is told as well, and asks its kernel each time.
        assertThat(loop.counters().enters() - kernel.reaps).as("io_submit").isEqualTo(1);
        realSink.close();
        real.close();
        Files.delete(other);
    }

    @Test
    void shouldReapAgainIfItWasInterrupted() {
        TestIo io = submit(TestIo.read(0, SECTOR));
        kernel.getEvents.add(-Errno.EINTR);
        complete(0, SECTOR);
        loop.ticks(1);
        assertThat(io.result()).isEqualTo(SECTOR);
        assertThat(kernel.reaps).isEqualTo(2);
        loop.ticks(3);
        assertThat(kernel.reaps).as("once").isEqualTo(2);
    }

    @Test
    void shouldLogAndBackOffIfCompletionsCannotBeFetched() {
        try (CapturedLog logged = new CapturedLog()) {
            TestIo io = submit(TestIo.read(0, SECTOR));
            for (int i = 0; i < 10; i++) {
                kernel.getEvents.add(-Errno.EPERM);
            }
            complete(0, SECTOR);
            assertThat(logged.containing("io_getevents of RawImage")).isNotEmpty();
            int reaps = 1;
            for (long pause : new long[] {1, 2, 4, 8, 16, 32, 64, 128, 128}) {
                loop.advance(pause * MILLIS - 1);
                loop.ticks(1);
                assertThat(kernel.reaps).isEqualTo(reaps);
                loop.advance(1);
                loop.ticks(1);
                reaps++;
                assertThat(kernel.reaps).as("after %d ms", pause).isEqualTo(reaps);
            }
            loop.advance(128 * MILLIS);
            loop.ticks(1);
            assertThat(io.result()).isEqualTo(SECTOR);
            TestIo next = submit(TestIo.read(0, SECTOR));
            kernel.getEvents.add(-Errno.EPERM);
            complete(0, SECTOR);
            loop.advance(MILLIS);
            loop.ticks(1);
            assertThat(next.result()).as("the pause is short again").isEqualTo(SECTOR);
        }
    }

    /** io_submit would wait for the disk with them. */
    @ParameterizedTest
    @CsvSource({"4096, 8192", "512, 512"})
    void shouldGiveToThreadsWhatGoesThroughThePageCache(int moved, int length) {
        TestIo write = submit(TestIo.write(0, new byte[length]));
        kernel.taken.clear();
        complete(0, -Errno.EINVAL);
        assertThat(kernel.taken).as("not the kernel's").isEmpty();
        loop.tickUntil(write::completed);
        assertThat(write.result()).isEqualTo(length);
        TestIo read = submit(TestIo.read(0, length));
        complete(0, -Errno.EINVAL);
        loop.tickUntil(read::completed);
        assertThat(read.result()).isEqualTo(length);
        assertThat(read.data()).containsOnly(0);
        TestIo zeroes = submit(TestIo.writeZeroes(0, moved));
        loop.tickUntil(zeroes::completed);
        assertThat(zeroes.result()).isZero();
        assertThat(kernel.asked).containsExactly(1, 1);
        assertThat(sink.counters().retries()).as("nothing was refused").isZero();
    }

    @Test
    void shouldReleaseEverythingAfterItsLastRequest() throws IOException {
        TestIo io = submit(TestIo.read(0, SECTOR));
        sink.close();
        backend.close();
        assertThat(loop.watched()).hasSize(1);
        complete(0, SECTOR);
        ended = true;
        assertThat(io.result()).isEqualTo(SECTOR);
        assertThat(loop.watched()).isEmpty();
        long context = kernel.contexts.getFirst();
        loop.tickUntil(() -> contextIsGone(context));
        assertThat(OpenFiles.count()).as("image, locks, syncs and eventfd are closed").isLessThanOrEqualTo(filesBefore);
        loop.close();
        assertThat(loop.tick()).isTrue();
        assertThat(loop.tick()).as("nothing of the sink holds the loop").isFalse();
    }

    private static boolean contextIsGone(long context) {
        try {
            return Files.readAllLines(Path.of("/proc/self/maps")).stream().noneMatch(line -> line.startsWith(Long.toHexString(context) + "-"));
        } catch (IOException unreadable) {
            throw new AssertionError(unreadable);
        }
    }

    @Test
    void shouldKeepTheLoopWhileTheKernelHasSomething() {
        TestIo waiting = TestIo.read(0, SECTOR);
        kernel.submissions.add(-Errno.EAGAIN);
        submit(waiting);
        sink.close();
        ended = true;
        BlockRequest late = request(TestIo.read(0, SECTOR));
        assertThat(sink.submit(late)).isFalse();
        late.complete(-Errno.EIO);
        loop.close();
        loop.ticks(2);
        loop.advance(MILLIS);
        loop.ticks(1);
        complete(0, SECTOR);
        assertThat(waiting.result()).isEqualTo(SECTOR);
    }

    @Test
    void shouldReleaseEverythingIfItsLoopTakesItNoLonger() throws IOException {
        HandDrivenLoop closing = new HandDrivenLoop();
        closing.close();
        closing.ticks(1);
        long before = OpenFiles.count();
        assertThatThrownBy(() -> backend.openSink(closing)).isInstanceOf(IllegalStateException.class).hasMessageContaining("is closing");
        assertThat(closing.watched()).isEmpty();
        assertThat(contextIsGone(kernel.contexts.getLast())).isTrue();
        assertThat(OpenFiles.count()).isLessThanOrEqualTo(before + 1);
    }
}
