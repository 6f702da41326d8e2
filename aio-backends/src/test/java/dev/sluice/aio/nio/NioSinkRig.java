package dev.sluice.aio.nio;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.aio.loop.HandDrivenLoop;
import dev.sluice.aio.threads.CallThreads;
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
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.SplittableRandom;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;

/** A sink on a file, a loop that ticks by hand, and a thread for calls that the test can refuse; the test decides what each call comes to. */
abstract class NioSinkRig {
    static final int SECTOR = 512;
    static final int SIZE = 1 << 20;
    static final int CAPACITY = 4;
    static final long MILLIS = 1_000_000;

    final Path path = LoopDevice.sparse(Files.createTempFile(Path.of("target"), "sluice-nio", ".raw"), SIZE);
    final HandDrivenLoop loop = new HandDrivenLoop();
    final TestQueue queue = new TestQueue(loop, 0, 16, 512 << 10, 4096);
    private final List<Thread> made = new ArrayList<>();
    int threadRefusals;
    int threadsAsked;
    final CallThreads threads = new CallThreads("test-", 1, work -> {
        threadsAsked++;
        if (threadRefusals > 0) {
            threadRefusals--;
            throw new OutOfMemoryError("unable to create native thread");
        }
        Thread thread = Thread.ofPlatform().daemon().unstarted(work);
        made.add(thread);
        return thread;
    });

    /** On the thread that makes the calls. */
    volatile CallSeam seam = CallSeam.NONE;

    final List<CallSeam.Call> calls = new ArrayList<>();
    private @Nullable BlockBackend backend;
    private @Nullable BlockSink sink;

    NioSinkRig() throws IOException {}

    final BlockBackend backend() {
        return Objects.requireNonNull(backend);
    }

    final BlockSink open(boolean readOnly) throws IOException {
        backend = NioBackendProvider.open(new BackendOptions(path, readOnly, true, CAPACITY), threads, (call, result) -> {
            calls.add(call);
            return seam.result(call, result);
        });
        BlockSink opened = backend.openSink(loop);
        sink = opened;
        return opened;
    }

    @AfterEach
    final void close() throws Exception {
        threadRefusals = 0;
        loop.advance(1000 * MILLIS);
        Objects.requireNonNull(sink).close();
        backend().close();
        loop.end();
        assertThat(sink.inFlight()).isZero();
        for (Thread thread : made) {
            thread.join();
        }
        queue.close();
        // The image is nobody's any more.
        NioImage.open(BackendOptions.of(path)).close();
        Files.delete(path);
    }

    final BlockRequest request(TestIo io) {
        queue.submit(io);
        return Objects.requireNonNull(queue.poll());
    }

    final TestIo submit(BlockSink to, TestIo... ios) {
        for (TestIo io : ios) {
            assertThat(to.submit(request(io))).as("taken: %s", io).isTrue();
        }
        to.flush();
        return ios[0];
    }

    final int result(BlockSink to, TestIo io) {
        submit(to, io);
        loop.tickUntil(io::completed);
        assertThat(io.completions()).isEqualTo(1);
        return io.result();
    }

    static byte[] bytes(int length) {
        byte[] made = new byte[length];
        new SplittableRandom(length).nextBytes(made);
        return made;
    }
}
