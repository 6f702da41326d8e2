package dev.sluice.aio.epoll;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sluice.aio.loop.IoLoopContract;
import dev.sluice.aio.uring.IoUringBackendProvider;
import dev.sluice.pipeline.BackendOptions;
import dev.sluice.pipeline.BlockBackend;
import dev.sluice.pipeline.IoLoop;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import org.junit.jupiter.api.Test;

class EpollLoopTest extends IoLoopContract {
    @Override
    protected IoLoop start(String name) throws IOException {
        return EpollLoop.start(name, true);
    }

    @Test
    void shouldBeRefusedByTheRingsBackendInOneLine() throws IOException {
        Path image = Files.createTempFile(Path.of("target"), "sluice-epoll", ".raw");
        Files.write(image, new byte[4096]);
        try (IoLoop loop = start("an-epoll-loop");
                BlockBackend backend = new IoUringBackendProvider().open(BackendOptions.of(image))) {
            assertThatThrownBy(() -> CompletableFuture.runAsync(() -> backend.openSink(loop), loop).join())
                    .isInstanceOf(CompletionException.class)
                    .cause()
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("needs an io_uring loop")
                    .hasMessageContaining("an-epoll-loop is a EpollLoop");
        } finally {
            Files.delete(image);
        }
    }

    @Test
    void shouldSayWhatToDoWhereThereIsNoEpoll() {
        assertThat(EpollLoop.unavailable()).isEmpty();
        assertThat(EpollAvailability.explain(new UnsatisfiedLinkError("no netty_transport_native_epoll"))).contains("netty-transport-native-epoll")
                .doesNotContain("\n");
        assertThat(EpollAvailability.explain(new IOException("epoll_create1(...) failed: Too many open files"))).contains("ulimit -n");
    }
}
