package dev.sluice.aio.uring;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.aio.sink.CompletionSeam;
import dev.sluice.pipeline.BackendOptions;
import dev.sluice.pipeline.BlockBackend;
import dev.sluice.pipeline.BlockOp;
import dev.sluice.pipeline.BlockSink;
import dev.sluice.pipeline.testing.Patience;
import java.io.IOException;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/** A loop with one sink on an image, driven from a test's thread. Closing it checks that everything came back exactly once. */
final class SinkFixture implements AutoCloseable {
    static final long PATIENCE_SECONDS = Patience.seconds(30);

    final IoUringLoop loop;
    final BlockBackend backend;
    final BlockSink sink;

    SinkFixture(BackendOptions options) throws IOException {
        this(options, CompletionSeam.NONE, IoUringLoopOptions.DEFAULT);
    }

    SinkFixture(BackendOptions options, CompletionSeam seam, IoUringLoopOptions loopOptions) throws IOException {
        backend = IoUringBackendProvider.open(options, seam);
        loop = IoUringLoop.start("test-loop", loopOptions.withDaemon(true));
        sink = onLoop(() -> backend.openSink(loop));
    }

    <T extends @Nullable Object> T onLoop(Callable<T> work) {
        CompletableFuture<T> done = new CompletableFuture<>();
        loop.execute(() -> {
            try {
                done.complete(work.call());
            } catch (Throwable failure) {
                done.completeExceptionally(failure);
            }
        });
        return await(done);
    }

    static <T extends @Nullable Object> T await(CompletableFuture<T> future) {
        return future.orTimeout(PATIENCE_SECONDS, TimeUnit.SECONDS).join();
    }

    /** Submits as one batch of one tick. */
    void submit(TestRequest... requests) {
        boolean _ = onLoop(() -> {
            for (TestRequest request : requests) {
                assertThat(sink.submit(request)).as("sink takes %s", request).isTrue();
            }
            sink.flush();
            return true;
        });
    }

    int run(TestRequest request) {
        submit(request);
        int result = await(request.answered);
        assertThat(request.answers).as("answers").hasValue(1);
        assertThat(request.iovecsAreAsGiven()).as("iovecs are as they were given").isTrue();
        return result;
    }

    int write(long offset, byte[] content) {
        try (TestRequest request = make(0, content.length)) {
            return run(request.fill(content).as(BlockOp.WRITE, offset));
        }
    }

    byte[] read(long offset, int length) {
        try (TestRequest request = make(0, length)) {
            assertThat(run(request.as(BlockOp.READ, offset))).isEqualTo(length);
            return request.bytes();
        }
    }

    TestRequest make(int shift, long... lengths) {
        return new TestRequest(loop, shift, lengths);
    }

    @Override
    public void close() {
        try {
            boolean _ = onLoop(() -> {
                sink.close();
                return true;
            });
        } catch (CompletionException closed) {
            throw new AssertionError("closing the sink", closed);
        } finally {
            loop.close();
            backend.close();
        }
        assertThat(sink.inFlight()).as("requests that never came back").isZero();
    }
}
