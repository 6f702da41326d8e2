package dev.sluice.aio.device;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.aio.epoll.EpollLoopProvider;
import dev.sluice.aio.linuxaio.LinuxAioBackendProvider;
import dev.sluice.aio.mapped.MappedBackendProvider;
import dev.sluice.aio.nio.NioBackendProvider;
import dev.sluice.aio.nio.ThreadLoopProvider;
import dev.sluice.aio.uring.IoUringBackendProvider;
import dev.sluice.aio.uring.IoUringLoopProvider;
import dev.sluice.linux.Errno;
import dev.sluice.pipeline.BackendOptions;
import dev.sluice.pipeline.BlockBackend;
import dev.sluice.pipeline.BlockBackendProvider;
import dev.sluice.pipeline.BlockSink;
import dev.sluice.pipeline.IoLoop;
import dev.sluice.pipeline.IoLoopProvider;
import dev.sluice.pipeline.ResizableBackend;
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
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * What every {@link ResizableBackend} does while requests are in flight on several loops: what was beyond the end works as soon as the image has
 * grown, and no longer once it has shrunk.
 */
@Timeout(120)
class GrowingImageTest {
    private static final int SECTOR = 512;
    private static final int SMALL = 1 << 20;
    private static final int LARGE = 4 << 20;
    private static final int BLOCK = 4096;

    static Stream<Arguments> backends() {
        return Stream.of(
                Arguments.of(new IoUringBackendProvider(), new IoUringLoopProvider(), "target"),
                Arguments.of(new LinuxAioBackendProvider(), new EpollLoopProvider(), "target"),
                Arguments.of(new NioBackendProvider(), new ThreadLoopProvider(), "target"),
                Arguments.of(new NioBackendProvider(), new IoUringLoopProvider(), "target"),
                Arguments.of(new MappedBackendProvider(), new IoUringLoopProvider(), "/dev/shm"),
                Arguments.of(new MappedBackendProvider(), new EpollLoopProvider(), "/dev/shm"));
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

    /** A loop with a sink and a guest. */
    private static final class Side implements AutoCloseable {
        private final IoLoop loop;
        private final TestQueue queue;
        private final BlockSink sink;

        Side(IoLoopProvider loops, String name, BlockBackend backend) throws IOException {
            loop = loops.start(name, 0);
            queue = new TestQueue(loop, 0, 64);
            sink = onLoop(loop, () -> backend.openSink(loop));
        }

        TestIo start(TestIo io) {
            return onLoop(loop, () -> {
                queue.submit(io);
                assertThat(sink.submit(Objects.requireNonNull(queue.poll()))).isTrue();
                sink.flush();
                return io;
            });
        }

        int run(TestIo io) {
            return start(io).await();
        }

        @Override
        public void close() {
            boolean _ = onLoop(loop, () -> {
                sink.close();
                return true;
            });
            loop.close();
            queue.close();
        }
    }

    @ParameterizedTest
    @MethodSource("backends")
    void shouldGrowAndShrinkUnderRequestsOfSeveralLoops(BlockBackendProvider backends, IoLoopProvider loops, String directory) throws IOException {
        Path image = Files.createTempFile(Files.createDirectories(Path.of(directory)), "sluice-growing", ".raw");
        Files.write(image, new byte[SMALL]);
        byte[] content = new byte[BLOCK];
        Arrays.fill(content, (byte) 7);
        long beyond = SMALL / SECTOR;
        try (BlockBackend backend = backends.open(BackendOptions.of(image));
                Side one = new Side(loops, "one", backend);
                Side other = new Side(loops, "other", backend)) {
            assertThat(one.run(TestIo.write(beyond, content))).isEqualTo(-Errno.EIO);
            TestIo[] meanwhile = new TestIo[32];
            for (int i = 0; i < meanwhile.length; i++) {
                meanwhile[i] = other.start(TestIo.write(8L * i, content));
            }
            ((ResizableBackend) backend).resize(LARGE);
            assertThat(backend.geometry().sizeBytes()).isEqualTo(LARGE);
            TestIo fresh = TestIo.read(LARGE / SECTOR - 8, BLOCK);
            assertThat(one.run(fresh)).isEqualTo(BLOCK);
            assertThat(fresh.data()).containsOnly(0);
            assertThat(one.run(TestIo.write(beyond, content))).isEqualTo(BLOCK);
            TestIo seen = TestIo.read(beyond, BLOCK);
            assertThat(other.run(seen)).isEqualTo(BLOCK);
            assertThat(seen.data()).isEqualTo(content);
            for (TestIo io : meanwhile) {
                assertThat(io.await()).isEqualTo(BLOCK);
            }
            ((ResizableBackend) backend).resize(SMALL);
            assertThat(other.run(TestIo.read(beyond, BLOCK))).isEqualTo(-Errno.EIO);
            assertThat(one.run(TestIo.write(beyond - 8, content))).isEqualTo(BLOCK);
            assertThat(backend.health().missingBytes()).isZero();
        }
        assertThat(Files.size(image)).isEqualTo(SMALL);
        Files.delete(image);
    }
}
