package dev.sluice.aio.linuxaio;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.aio.epoll.EpollLoop;
import dev.sluice.aio.sink.CompletionSeam;
import dev.sluice.aio.threads.CallThreads;
import dev.sluice.linux.Errno;
import dev.sluice.linux.Iocb;
import dev.sluice.linux.LinuxAio;
import dev.sluice.linux.NativeMemory;
import dev.sluice.pipeline.BackendOptions;
import dev.sluice.pipeline.BlockBackend;
import dev.sluice.pipeline.BlockRequest;
import dev.sluice.pipeline.BlockSink;
import dev.sluice.pipeline.IoLoop;
import dev.sluice.pipeline.testing.Patience;
import dev.sluice.pipeline.testing.TestIo;
import dev.sluice.pipeline.testing.TestQueue;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Calls that need a thread where none can be had: no request is lost, none fails, none is submitted twice. */
@Timeout(120)
class WithoutThreadsTest {
    private static final int SECTOR = 512;
    private static final int SIZE = 1 << 20;
    private static final ThreadFactory DAEMONS = Thread.ofPlatform().daemon().name("without-threads-test").factory();

    private final Path image;
    private final IoLoop loop;
    private final TestQueue queue;

    /** How often a thread is still refused. */
    private final AtomicInteger refusals = new AtomicInteger();

    private final CallThreads threads = new CallThreads("test-", 4, work -> {
        if (refusals.getAndUpdate(left -> Math.max(0, left - 1)) > 0) {
            throw new OutOfMemoryError("unable to create native thread");
        }
        return DAEMONS.newThread(work);
    });

    WithoutThreadsTest() throws IOException {
        image = Files.createTempFile(Path.of("target"), "sluice-threads", ".raw");
        Files.write(image, new byte[SIZE]);
        loop = EpollLoop.start("without-threads", true);
        queue = new TestQueue(loop, 0, 64);
    }

    @AfterEach
    void close() throws IOException {
        queue.close();
        loop.close();
        Files.delete(image);
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
        return done.orTimeout(Patience.seconds(60), TimeUnit.SECONDS).join();
    }

    private BlockBackend open(AioCalls calls) throws IOException {
        return LinuxAioBackendProvider.open(BackendOptions.of(image).withSinkCapacity(16), threads, calls, CompletionSeam.NONE);
    }

    private void submit(BlockSink sink, TestIo... ios) {
        boolean _ = onLoop(() -> {
            for (TestIo io : ios) {
                queue.submit(io);
                BlockRequest request = queue.poll();
                assertThat(sink.submit(Objects.requireNonNull(request))).isTrue();
            }
            loop.atTickEnd(sink::flush);
            return true;
        });
    }

    @Test
    void shouldCompleteInOrderOnceAThreadCanBeHad() throws IOException {
        refusals.set(6);
        try (BlockBackend backend = open(AioCalls.KERNEL)) {
            BlockSink sink = onLoop(() -> backend.openSink(loop));
            TestIo zeroes = TestIo.writeZeroes(8, SECTOR);
            TestIo read = TestIo.read(0, SECTOR);
            submit(sink, zeroes, read);
            assertThat(zeroes.await()).isZero();
            assertThat(read.await()).isEqualTo(SECTOR);
            assertThat(zeroes.completions()).isEqualTo(1);
            assertThat(read.completions()).isEqualTo(1);
            assertThat(refusals).hasValue(0);
            assertThat(sink.counters().retries()).isGreaterThanOrEqualTo(6);
            int left = onLoop(() -> {
                sink.close();
                return sink.inFlight();
            });
            assertThat(left).isZero();
        }
    }

    @Test
    void shouldSubmitNothingTwiceWhenTheSyncThatTheKernelRefusesFindsNoThread() throws IOException {
        refusals.set(5);
        List<Long> submitted = new ArrayList<>();
        AioCalls calls = new AioCalls() {
            @Override
            public int submit(long context, int count, long iocbs) {
                // The sync is the second of three: refused for good when it is the first of what is left.
                if (Iocb.opcode(NativeMemory.getLong(iocbs)) == Iocb.IOCB_CMD_FDSYNC) {
                    return -Errno.EINVAL;
                }
                int taken = LinuxAio.submit(context, 1, iocbs);
                if (taken == 1) {
                    submitted.add(NativeMemory.getLong(NativeMemory.getLong(iocbs) + Iocb.FILE_OFFSET_OFFSET));
                }
                return taken;
            }
        };
        try (BlockBackend backend = open(calls)) {
            BlockSink sink = onLoop(() -> backend.openSink(loop));
            TestIo first = TestIo.read(0, SECTOR);
            TestIo flush = TestIo.flush();
            TestIo last = TestIo.read(16, SECTOR);
            submit(sink, first, flush, last);
            assertThat(flush.await()).isZero();
            assertThat(first.await()).isEqualTo(SECTOR);
            assertThat(last.await()).isEqualTo(SECTOR);
            assertThat(List.of(first.completions(), flush.completions(), last.completions())).containsOnly(1);
            assertThat(onLoop(() -> List.copyOf(submitted))).containsExactly(0L, 16L * SECTOR);
            boolean _ = onLoop(() -> {
                sink.close();
                return true;
            });
        }
    }

    @Test
    void shouldMakeTheCallsOfAClosingSinkOnItsLoopWhenThereIsNoThread() throws IOException {
        refusals.set(Integer.MAX_VALUE);
        BlockBackend backend = open(AioCalls.KERNEL);
        BlockSink sink = onLoop(() -> backend.openSink(loop));
        TestIo zeroes = TestIo.writeZeroes(8, SECTOR);
        TestIo read = TestIo.read(0, SECTOR);
        submit(sink, zeroes, read);
        boolean _ = onLoop(() -> {
            assertThat(sink.inFlight()).isEqualTo(2);
            sink.close();
            return true;
        });
        assertThat(zeroes.await()).isZero();
        assertThat(read.await()).isEqualTo(SECTOR);
        int left = onLoop(sink::inFlight);
        assertThat(left).isZero();
        backend.close();
        // The last sink has told its backend of its end, which has closed the image: it is not locked any more.
        open(AioCalls.KERNEL).close();
    }
}
