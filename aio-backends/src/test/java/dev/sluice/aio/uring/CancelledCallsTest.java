package dev.sluice.aio.uring;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.aio.sink.CompletionSeam;
import dev.sluice.aio.threads.CallThreads;
import dev.sluice.linux.Errno;
import dev.sluice.pipeline.BackendOptions;
import dev.sluice.pipeline.BlockBackend;
import dev.sluice.pipeline.BlockRequest;
import dev.sluice.pipeline.BlockSink;
import dev.sluice.pipeline.testing.Patience;
import dev.sluice.pipeline.testing.TestIo;
import dev.sluice.pipeline.testing.TestQueue;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Objects;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** What io_uring does where it can start no worker thread: it ends the request with ECANCELED. The guest must not notice. */
@Timeout(120)
class CancelledCallsTest {
    private static final int SECTOR = 512;
    private static final ThreadFactory DAEMONS = Thread.ofPlatform().daemon().name("cancelled-calls-test").factory();

    private final Path image;
    private final IoUringLoop loop;
    private final TestQueue queue;
    private final AtomicInteger threadsMade = new AtomicInteger();

    CancelledCallsTest() throws IOException {
        image = Files.createTempFile(Path.of("target"), "sluice-cancelled", ".raw");
        Files.write(image, new byte[1 << 20]);
        loop = IoUringLoop.start("cancelled", IoUringLoopOptions.DEFAULT.withDaemon(true));
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

    private int run(CompletionSeam seam, TestIo io) throws IOException {
        CallThreads threads = new CallThreads("test-", 1, work -> {
            threadsMade.incrementAndGet();
            return DAEMONS.newThread(work);
        });
        try (BlockBackend backend = IoUringBackendProvider.open(BackendOptions.of(image).withSinkCapacity(16), threads, seam)) {
            BlockSink sink = onLoop(() -> backend.openSink(loop));
            boolean _ = onLoop(() -> {
                queue.submit(io);
                BlockRequest request = queue.poll();
                assertThat(sink.submit(Objects.requireNonNull(request))).isTrue();
                loop.atTickEnd(sink::flush);
                return true;
            });
            int result = io.await();
            assertThat(io.completions()).isEqualTo(1);
            int left = onLoop(() -> {
                sink.close();
                return sink.inFlight();
            });
            assertThat(left).isZero();
            return result;
        }
    }

    private static CompletionSeam cancelling(int times) {
        AtomicInteger left = new AtomicInteger(times);
        return (_, result) -> left.getAndDecrement() > 0 ? -Errno.ECANCELED : result;
    }

    @Test
    void shouldTryTheRingOnceMore() throws IOException {
        assertThat(run(cancelling(1), TestIo.flush())).isZero();
        assertThat(threadsMade).hasValue(0);
    }

    @Test
    void shouldSyncOnAThreadWhenTheKernelHasNone() throws IOException {
        assertThat(run(cancelling(2), TestIo.flush())).isZero();
        assertThat(threadsMade).hasValue(1);
    }

    @Test
    void shouldReadOnAThreadWhenTheKernelHasNone() throws IOException {
        byte[] content = new byte[1 << 20];
        Arrays.fill(content, (byte) 7);
        Files.write(image, content);
        TestIo read = TestIo.read(8, 8 * SECTOR);
        assertThat(run(cancelling(2), read)).isEqualTo(8 * SECTOR);
        assertThat(read.data()).containsOnly(7);
        assertThat(threadsMade).hasValue(1);
    }

    @Test
    void shouldWriteOnAThreadWhenTheKernelHasNone() throws IOException {
        byte[] content = new byte[8 * SECTOR];
        Arrays.fill(content, (byte) 9);
        assertThat(run(cancelling(2), TestIo.write(8, content))).isEqualTo(content.length);
        assertThat(Arrays.copyOfRange(Files.readAllBytes(image), 8 * SECTOR, 16 * SECTOR)).isEqualTo(content);
        assertThat(threadsMade).hasValue(1);
    }

    @Test
    void shouldZeroOnAThreadWhenTheKernelHasNone() throws IOException {
        assertThat(run(cancelling(2), TestIo.writeZeroes(8, SECTOR))).isZero();
        assertThat(threadsMade).hasValue(1);
    }
}
