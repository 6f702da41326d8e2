package dev.sluice.aio.nio;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.aio.epoll.EpollLoop;
import dev.sluice.aio.threads.CallThreads;
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
import java.util.Objects;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Requests on threads come back to their loop, whether it is closing or a thread had to be waited for. */
@Timeout(120)
class LateResultsTest {
    private static final int SECTOR = 512;
    private static final ThreadFactory DAEMONS = Thread.ofPlatform().daemon().name("late-results-test").factory();

    private final Path image;
    private final CountDownLatch reading = new CountDownLatch(1);
    private final CountDownLatch mayEnd = new CountDownLatch(1);

    LateResultsTest() throws IOException {
        image = Files.createTempFile(Path.of("target"), "sluice-late", ".raw");
        Files.write(image, new byte[1 << 20]);
    }

    @AfterEach
    void removeImage() throws IOException {
        Files.delete(image);
    }

    private static <T> T onLoop(IoLoop loop, Callable<T> work) {
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

    private static BlockSink submitted(IoLoop loop, TestQueue queue, BlockBackend backend, TestIo... ios) {
        return onLoop(loop, () -> {
            BlockSink sink = backend.openSink(loop);
            for (TestIo io : ios) {
                queue.submit(io);
                BlockRequest request = queue.poll();
                assertThat(sink.submit(Objects.requireNonNull(request))).isTrue();
            }
            sink.flush();
            return sink;
        });
    }

    private int slow(int result) {
        reading.countDown();
        try {
            mayEnd.await();
        } catch (InterruptedException ended) {
            Thread.currentThread().interrupt();
        }
        return result;
    }

    private void closesWithARequestOnAThread(IoLoop loop) throws IOException, InterruptedException {
        try (TestQueue queue = new TestQueue(loop, 0, 64);
                BlockBackend backend = NioBackendProvider.open(BackendOptions.of(image), (_, result) -> slow(result))) {
            TestIo read = TestIo.read(0, SECTOR);
            BlockSink sink = submitted(loop, queue, backend, read);
            reading.await();
            Thread closer = Thread.ofPlatform().start(loop::close);
            while (closer.getState() != Thread.State.WAITING) {
                Thread.sleep(1);
            }
            mayEnd.countDown();
            assertThat(read.await()).isEqualTo(SECTOR);
            assertThat(read.completions()).isEqualTo(1);
            closer.join();
            assertThat(sink.inFlight()).isZero();
        }
    }

    @Test
    void shouldCompleteWhatIsOnAThreadWhenAThreadLoopCloses() throws IOException, InterruptedException {
        closesWithARequestOnAThread(ThreadLoop.start("late"));
    }

    @Test
    void shouldCompleteWhatIsOnAThreadWhenAnEpollLoopCloses() throws IOException, InterruptedException {
        closesWithARequestOnAThread(EpollLoop.start("late", true));
    }

    @Test
    void shouldLoseNoRequestWhenNoThreadCanBeHadForAWhile() throws IOException {
        AtomicInteger refusals = new AtomicInteger(5);
        CallThreads threads = new CallThreads("test-", 4, work -> {
            if (refusals.getAndUpdate(left -> Math.max(0, left - 1)) > 0) {
                throw new OutOfMemoryError("unable to create native thread");
            }
            return DAEMONS.newThread(work);
        });
        IoLoop loop = ThreadLoop.start("late");
        try (TestQueue queue = new TestQueue(loop, 0, 64);
                BlockBackend backend = NioBackendProvider.open(BackendOptions.of(image), threads, CallSeam.NONE)) {
            TestIo write = TestIo.write(0, new byte[SECTOR]);
            TestIo read = TestIo.read(8, SECTOR);
            BlockSink sink = submitted(loop, queue, backend, write, read);
            assertThat(write.await()).isEqualTo(SECTOR);
            assertThat(read.await()).isEqualTo(SECTOR);
            assertThat(refusals).hasValue(0);
            assertThat(sink.counters().retries()).isGreaterThanOrEqualTo(5);
        } finally {
            loop.close();
        }
    }

    @Test
    void shouldMakeTheCallsOfAClosingSinkOnItsLoopWhenThereIsNoThread() throws IOException {
        CallThreads threads = new CallThreads("test-", 4, _ -> {
            throw new OutOfMemoryError("unable to create native thread");
        });
        IoLoop loop = ThreadLoop.start("late");
        try (TestQueue queue = new TestQueue(loop, 0, 64)) {
            BlockBackend backend = NioBackendProvider.open(BackendOptions.of(image), threads, CallSeam.NONE);
            TestIo write = TestIo.write(0, new byte[SECTOR]);
            BlockSink sink = submitted(loop, queue, backend, write);
            boolean _ = onLoop(loop, () -> {
                sink.close();
                return true;
            });
            assertThat(write.await()).isEqualTo(SECTOR);
            int left = onLoop(loop, sink::inFlight);
            assertThat(left).isZero();
            backend.close();
            // The last sink has told its backend of its end, which has let go of the image.
            NioBackendProvider.open(BackendOptions.of(image), CallSeam.NONE).close();
        } finally {
            loop.close();
        }
    }
}
