package dev.sluice.aio.linuxaio;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.aio.loop.HandDrivenLoop;
import dev.sluice.aio.raw.RawImage;
import dev.sluice.aio.sink.CompletionSeam;
import dev.sluice.aio.threads.CallThreads;
import dev.sluice.linux.Errno;
import dev.sluice.pipeline.BackendOptions;
import dev.sluice.pipeline.BlockOp;
import dev.sluice.pipeline.BlockSink;
import dev.sluice.pipeline.testing.LoopDevice;
import dev.sluice.pipeline.testing.TestIo;
import dev.sluice.pipeline.testing.TestQueue;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Calls that io_submit would wait for, when no thread can be had for them: they wait, in order, and are not taken for started. */
@Timeout(60)
class PageCacheThreadsTest {
    private static final long MILLIS = 1_000_000;

    private final Path path = LoopDevice.sparse(Files.createTempFile(Path.of("target"), "sluice-aio", ".raw"), 1 << 20);
    private final HandDrivenLoop loop = new HandDrivenLoop();
    private final ScriptedAio kernel = new ScriptedAio();
    private final TestQueue queue = new TestQueue(loop, 0, 8);
    private boolean refused = true;
    private final CallThreads threads = new CallThreads("test-", 1, work -> {
        if (refused) {
            throw new OutOfMemoryError("unable to create native thread");
        }
        return Thread.ofPlatform().daemon().unstarted(work);
    });
    private final LinuxAioBackend backend = new LinuxAioBackend(RawImage.open(BackendOptions.of(path)), 8, true, threads, kernel, CompletionSeam.NONE);
    private final BlockSink sink = backend.openSink(loop);

    PageCacheThreadsTest() throws IOException {}

    @AfterEach
    void end() throws IOException {
        sink.close();
        backend.close();
        loop.end();
        queue.close();
        Files.delete(path);
    }

    static Stream<TestIo> requests() {
        return List.of(
                TestIo.read(8, 512), TestIo.read(8, 8192), TestIo.write(8, new byte[512]), TestIo.write(8, new byte[8192]), TestIo.writeZeroes(8, 4096))
                .stream();
    }

    @ParameterizedTest
    @MethodSource("requests")
    void shouldWaitForAThreadAndBeMadeOnce(TestIo io) {
        queue.submit(io);
        assertThat(sink.submit(Objects.requireNonNull(queue.poll()))).isTrue();
        sink.flush();
        if (!kernel.taken.isEmpty()) {
            // O_DIRECT does not take it.
            kernel.complete(0, -Errno.EINVAL);
            loop.readable();
            loop.ticks(1);
        }
        assertThat(io.completed()).isFalse();
        assertThat(sink.counters().retries()).as("refused for want of a thread").isPositive();
        assertThat(sink.inFlight()).isEqualTo(1);
        refused = false;
        loop.advance(MILLIS);
        loop.tickUntil(io::completed);
        assertThat((long) io.result()).isEqualTo(io.op() == BlockOp.WRITE_ZEROES ? 0 : io.lengthBytes());
        assertThat(io.completions()).isEqualTo(1);
        assertThat(kernel.asked).hasSizeLessThanOrEqualTo(1);
    }
}
