package dev.sluice.aio.linuxaio;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sluice.aio.epoll.EpollLoop;
import dev.sluice.aio.loop.OpenFiles;
import dev.sluice.aio.sink.CompletionSeam;
import dev.sluice.linux.Errno;
import dev.sluice.linux.Iocb;
import dev.sluice.linux.LinuxAio;
import dev.sluice.linux.NativeMemory;
import dev.sluice.pipeline.BackendOptions;
import dev.sluice.pipeline.BlockBackend;
import dev.sluice.pipeline.BlockOp;
import dev.sluice.pipeline.BlockRequest;
import dev.sluice.pipeline.BlockSink;
import dev.sluice.pipeline.IoLoop;
import dev.sluice.pipeline.SinkCounters;
import dev.sluice.pipeline.testing.Patience;
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
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** io_submit that takes nothing, or some, or refuses one for good: the guest sees nothing of the first two, and its own request's end of the third. */
class LinuxAioFaultsTest {
    private static final int SECTOR = 512;
    private static final int SIZE = 1 << 20;
    private static final int CAPACITY = 16;

    private final Path image;
    private final byte[] content = new byte[SIZE];
    private final IoLoop loop;
    private final TestQueue queue;

    LinuxAioFaultsTest() throws IOException {
        image = Files.createTempFile(Path.of("target"), "sluice-aio", ".raw");
        loop = EpollLoop.start("aio-faults", true);
        queue = new TestQueue(loop, 0, 64);
    }

    @BeforeEach
    void fillImage() throws IOException {
        new SplittableRandom(3).nextBytes(content);
        Files.write(image, content);
    }

    @AfterEach
    void close() throws IOException {
        queue.close();
        loop.close();
        Files.delete(image);
    }

    /** What io_submit says, by the number of the call and what it is given. All on the loop's thread. */
    @FunctionalInterface
    private interface Submission {
        int submit(int call, long context, int count, long iocbs);
    }

    private static final class Calls implements AioCalls {
        private final Submission submission;
        private final List<Integer> results = new ArrayList<>();

        Calls(Submission submission) {
            this.submission = submission;
        }

        @Override
        public int submit(long context, int count, long iocbAddresses) {
            int result = submission.submit(results.size(), context, count, iocbAddresses);
            results.add(result);
            return result;
        }
    }

    private <T> T onLoop(Callable<T> work) {
        CompletableFuture<T> done = new CompletableFuture<>();
        loop.execute(() -> {
            try {
                done.complete(work.call());
            } catch (Throwable failure) {
                done.completeExceptionally(failure);
            }
        });
        return done.orTimeout(Patience.seconds(30), TimeUnit.SECONDS).join();
    }

    @FunctionalInterface
    private interface Body {
        void run(BlockSink sink) throws IOException;
    }

    private void withSink(AioCalls calls, CompletionSeam seam, Body body) throws IOException {
        try (BlockBackend backend = LinuxAioBackendProvider.open(BackendOptions.of(image).withSinkCapacity(CAPACITY), calls, seam)) {
            BlockSink sink = onLoop(() -> backend.openSink(loop));
            body.run(sink);
            boolean _ = onLoop(() -> {
                sink.close();
                assertThat(sink.inFlight()).isZero();
                return true;
            });
        }
    }

    /** As one batch of one tick. */
    private void submit(BlockSink sink, TestIo... ios) {
        boolean _ = onLoop(() -> {
            for (TestIo io : ios) {
                queue.submit(io);
                BlockRequest request = queue.poll();
                assertThat(request).isNotNull();
                assertThat(sink.submit(Objects.requireNonNull(request))).isTrue();
            }
            loop.atTickEnd(sink::flush);
            return true;
        });
    }

    private static TestIo[] reads(int count) {
        TestIo[] ios = new TestIo[count];
        Arrays.setAll(ios, i -> TestIo.read(i * 3L, SECTOR));
        return ios;
    }

    private void assertRead(TestIo... ios) {
        for (TestIo io : ios) {
            assertThat(io.await()).as("%s", io).isEqualTo(SECTOR);
            int offset = (int) io.sector() * SECTOR;
            assertThat(io.data()).isEqualTo(Arrays.copyOfRange(content, offset, offset + SECTOR));
            assertThat(io.completions()).isEqualTo(1);
        }
    }

    /** The kernel may have begun: what was written in between is not covered. */
    @Test
    void shouldNotShareASyncThatWasSubmittedBefore() throws IOException {
        AtomicInteger syncs = new AtomicInteger();
        CompletionSeam counts = (call, result) -> {
            syncs.addAndGet(call == CompletionSeam.Call.SYNC ? 1 : 0);
            return result;
        };
        withSink(AioCalls.KERNEL, counts, sink -> {
            TestIo first = TestIo.flush();
            TestIo sharing = TestIo.flush();
            TestIo later = TestIo.flush();
            boolean _ = onLoop(() -> {
                for (TestIo io : new TestIo[] {first, sharing, later}) {
                    queue.submit(io);
                    assertThat(sink.submit(Objects.requireNonNull(queue.poll()))).isTrue();
                    if (io != first) {
                        sink.flush();
                    }
                }
                return true;
            });
            for (TestIo io : new TestIo[] {first, sharing, later}) {
                assertThat(io.await()).isZero();
            }
            assertThat(syncs.get()).as("one for the first two, which were one batch, and one for the last").isEqualTo(2);
        });
    }

    @Test
    void shouldTryAgainByItselfWhenTheFirstIsRefusedAndNothingIsInTheKernel() throws IOException {
        Calls calls = new Calls((call, context, count, iocbs) -> call < 3 ? -Errno.EAGAIN : LinuxAio.submit(context, count, iocbs));
        withSink(calls, CompletionSeam.NONE, sink -> {
            TestIo[] ios = reads(4);
            submit(sink, ios);
            assertRead(ios);
            assertThat(calls.results).containsExactly(-Errno.EAGAIN, -Errno.EAGAIN, -Errno.EAGAIN, 4);
            assertThat(sink.counters().retries()).isEqualTo(3);
        });
    }

    @Test
    void shouldSubmitTheRestInOrderAfterTheNextCompletionWhenTheKernelStopsInTheMiddle() throws IOException {
        List<Long> order = new ArrayList<>();
        Calls calls = new Calls((call, context, count, iocbs) -> {
            if (call == 1) {
                return -Errno.EAGAIN;
            }
            int taken = LinuxAio.submit(context, call == 0 ? 2 : count, iocbs);
            for (int i = 0; i < taken; i++) {
                order.add(NativeMemory.getLong(NativeMemory.getLong(iocbs + 8L * i) + Iocb.FILE_OFFSET_OFFSET));
            }
            return taken;
        });
        withSink(calls, CompletionSeam.NONE, sink -> {
            TestIo[] ios = reads(6);
            submit(sink, ios);
            assertRead(ios);
            assertThat(order).containsExactly(0L, 3L * SECTOR, 6L * SECTOR, 9L * SECTOR, 12L * SECTOR, 15L * SECTOR);
            assertThat(calls.results).containsExactly(2, -Errno.EAGAIN, 4);
        });
    }

    @Test
    void shouldAskNoMoreOftenThanCompletionsComeWhenTheKernelIsFull() throws IOException {
        int[] inKernel = new int[1];
        // A kernel of one place: it takes one where none is in it, and it cannot be told when that has ended but by a completion.
        Calls calls = new Calls((_, context, count, iocbs) -> inKernel[0]++ % 2 == 0 ? LinuxAio.submit(context, Math.min(1, count), iocbs) : -Errno.EAGAIN);
        withSink(calls, CompletionSeam.NONE, sink -> {
            TestIo[] ios = reads(CAPACITY);
            submit(sink, ios);
            assertRead(ios);
            assertThat(calls.results.stream().filter(result -> result == -Errno.EAGAIN)).hasSizeLessThanOrEqualTo(CAPACITY);
        });
    }

    @Test
    void shouldGoOnWhenACallIsInterrupted() throws IOException {
        Calls calls = new Calls((call, context, count, iocbs) -> call == 0 ? -Errno.EINTR : LinuxAio.submit(context, count, iocbs));
        withSink(calls, CompletionSeam.NONE, sink -> {
            TestIo[] ios = reads(2);
            submit(sink, ios);
            assertRead(ios);
        });
    }

    @Test
    void shouldFailTheOneThatTheKernelRefusesForGoodAndNoOther() throws IOException {
        Calls calls = new Calls((call, context, count, iocbs) -> switch (call) {
            case 0 -> LinuxAio.submit(context, 2, iocbs);
            case 1 -> -Errno.EIO;
            default -> LinuxAio.submit(context, count, iocbs);
        });
        withSink(calls, CompletionSeam.NONE, sink -> {
            TestIo[] ios = reads(5);
            submit(sink, ios);
            assertThat(ios[2].await()).isEqualTo(-Errno.EIO);
            assertRead(ios[0], ios[1], ios[3], ios[4]);
        });
    }

    @Test
    void shouldSyncOnAnotherThreadWhenTheKernelHasNoAsynchronousSync() throws IOException {
        Calls calls = new Calls((_, context, count, iocbs) -> Iocb.opcode(NativeMemory.getLong(iocbs)) == Iocb.IOCB_CMD_FDSYNC ? -Errno.EINVAL
                : LinuxAio.submit(context, count, iocbs));
        withSink(calls, CompletionSeam.NONE, sink -> {
            TestIo first = TestIo.flush();
            TestIo second = TestIo.flush();
            submit(sink, first);
            assertThat(first.await()).isZero();
            submit(sink, second);
            assertThat(second.await()).isZero();
            assertThat(calls.results).as("asked once").containsExactly(-Errno.EINVAL);
        });
    }

    /** A context is a mapping of this process as long as it lives, its eventfd a descriptor. */
    @Test
    void shouldReleaseContextsAndEventfdsWithTheirSinks() throws Exception {
        withSink(AioCalls.KERNEL, CompletionSeam.NONE, _ -> {});
        long contexts = contexts();
        long files = OpenFiles.count();
        for (int i = 0; i < 20; i++) {
            withSink(AioCalls.KERNEL, CompletionSeam.NONE, _ -> assertThat(contexts()).isGreaterThanOrEqualTo(1));
        }
        long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(Patience.seconds(60));
        // Contexts are destroyed on another thread.
        while (contexts() > contexts) {
            assertThat(System.nanoTime()).as("%d contexts are left of %d", contexts(), contexts).isLessThan(end);
            Thread.sleep(10);
        }
        assertThat(OpenFiles.count()).isLessThanOrEqualTo(files);
    }

    private static long contexts() throws IOException {
        try (Stream<String> mappings = Files.lines(Path.of("/proc/self/maps"))) {
            return mappings.filter(line -> line.contains("[aio]")).count();
        }
    }

    /** A seccomp profile that came later, say. Asking again at once would take a core. */
    @Test
    void shouldBackOffWhenCompletionsCannotBeFetched() throws IOException {
        int[] asked = {0};
        AioCalls calls = new AioCalls() {
            @Override
            public boolean mayReadRing(long context) {
                return false;
            }

            @Override
            public int getEvents(long context, int maximum, long events) {
                return asked[0]++ < 6 ? -Errno.EPERM : AioCalls.super.getEvents(context, maximum, events);
            }
        };
        withSink(calls, CompletionSeam.NONE, sink -> {
            TestIo[] ios = reads(1);
            long began = System.nanoTime();
            submit(sink, ios);
            assertRead(ios);
            assertThat(System.nanoTime() - began).as("1, 2, 4, 8, 16 and 32 ms").isGreaterThan(TimeUnit.MILLISECONDS.toNanos(60));
        });
    }

    @Test
    void shouldTryAgainWhenTheKernelHasNoMemoryForASubmission() throws IOException {
        Calls calls = new Calls((call, context, count, iocbs) -> call < 2 ? -Errno.ENOMEM : LinuxAio.submit(context, count, iocbs));
        withSink(calls, CompletionSeam.NONE, sink -> {
            TestIo[] ios = reads(2);
            submit(sink, ios);
            assertRead(ios);
        });
    }

    @Test
    void shouldMapWhatTheDiskSays() throws IOException {
        int[] said = {0};
        CompletionSeam seam = (_, result) -> said[0] == 0 ? result : said[0];
        withSink(AioCalls.KERNEL, seam, sink -> {
            for (int errno : new int[] {Errno.EIO, Errno.ENOSPC, Errno.EDQUOT}) {
                int _ = onLoop(() -> said[0] = -errno);
                TestIo write = TestIo.write(0, new byte[SECTOR]);
                submit(sink, write);
                assertThat(write.await()).isEqualTo(-errno);
            }
        });
    }

    @Test
    void shouldAgreeWithAnArrayWhenEverythingGoesWrongThatMay() throws IOException {
        long seed = System.nanoTime();
        System.out.println("LinuxAioFaultsTest: seed " + seed);
        SplittableRandom random = new SplittableRandom(seed);
        SplittableRandom faults = random.split();
        int[] injected = new int[1];
        Calls calls = new Calls((_, context, count, iocbs) -> {
            int dice = faults.nextInt(6);
            injected[0] += dice < 3 ? 1 : 0;
            return switch (dice) {
                case 0 -> -Errno.EAGAIN;
                case 1 -> -Errno.EINTR;
                case 2 -> LinuxAio.submit(context, 1 + faults.nextInt(count), iocbs);
                default -> LinuxAio.submit(context, count, iocbs);
            };
        });
        CompletionSeam seam = (call, result) -> {
            boolean transfer = call == CompletionSeam.Call.READ || call == CompletionSeam.Call.WRITE;
            int dice = faults.nextInt(8);
            if (dice == 0) {
                return faults.nextBoolean() ? -Errno.EAGAIN : -Errno.EINTR;
            }
            return transfer && dice < 4 && result > SECTOR ? faults.nextInt(1, result / SECTOR + 1) * SECTOR : result;
        };
        withSink(calls, seam, sink -> {
            for (int round = 0; round < 200; round++) {
                round(sink, random, "seed " + seed + " round " + round);
            }
            SinkCounters counters = sink.counters();
            assertThat(counters.retries()).isPositive();
            assertThat(counters.continuations()).isPositive();
            assertThat(counters.operations()).isGreaterThanOrEqualTo(counters.batches());
        });
        assertThat(Files.readAllBytes(image)).as("seed %d", seed).isEqualTo(content);
        assertThat(injected[0]).isPositive();
    }

    private void round(BlockSink sink, SplittableRandom random, String what) {
        TestIo[] batch = new TestIo[CAPACITY];
        int part = SIZE / CAPACITY;
        for (int i = 0; i < CAPACITY; i++) {
            int length = SECTOR * (1 + random.nextInt(16));
            int offset = i * part + SECTOR * random.nextInt((part - length) / SECTOR + 1);
            batch[i] = switch (random.nextInt(8)) {
                case 0 -> TestIo.flush();
                case 1 -> {
                    Arrays.fill(content, offset, offset + length, (byte) 0);
                    yield TestIo.writeZeroes(offset / SECTOR, length);
                }
                case 2, 3, 4 -> {
                    byte[] bytes = new byte[length];
                    random.nextBytes(bytes);
                    System.arraycopy(bytes, 0, content, offset, length);
                    yield TestIo.write(offset / SECTOR, bytes);
                }
                default -> TestIo.read(offset / SECTOR, length);
            };
        }
        submit(sink, batch);
        for (TestIo io : batch) {
            assertThat(io.await()).as("%s of %s", io, what).isNotNegative();
            assertThat(io.completions()).as("%s of %s", io, what).isEqualTo(1);
            if (io.op() == BlockOp.READ) {
                int offset = (int) io.sector() * SECTOR;
                assertThat(io.data()).as("%s of %s", io, what).isEqualTo(Arrays.copyOfRange(content, offset, offset + (int) io.lengthBytes()));
            }
        }
    }

    @Test
    void shouldNameBothNumbersInOneLineWhenTheMachinesEventsAreUsedUp() throws IOException {
        AioCalls usedUp = new AioCalls() {
            @Override
            public long setup(int events) {
                return -Errno.EAGAIN;
            }
        };
        try (BlockBackend backend = LinuxAioBackendProvider.open(BackendOptions.of(image).withSinkCapacity(300), usedUp, CompletionSeam.NONE)) {
            assertThatThrownBy(() -> onLoop(() -> backend.openSink(loop)))
                    .cause()
                    .hasMessageContaining("io_setup(300)")
                    .hasMessageContaining("EAGAIN")
                    .message()
                    .containsPattern("fs\\.aio-nr = \\d+ of fs\\.aio-max-nr = " + Files.readAllLines(Path.of("/proc/sys/fs/aio-max-nr")).getFirst() + ":")
                    .doesNotContain("\n");
        }
    }
}
