package dev.sluice.aio;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sluice.aio.mapped.MappedBackendProvider;
import dev.sluice.aio.nio.NioBackendProvider;
import dev.sluice.aio.uring.IoUringLoop;
import dev.sluice.pipeline.BackendOptions;
import dev.sluice.pipeline.BlockBackend;
import dev.sluice.pipeline.IoLoop;
import dev.sluice.pipeline.Providers;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Which backend and loop are taken on this machine. */
class ProvidersChoiceTest {

    @Test
    void shouldTakeTheRingWhereThereIsOne() throws IOException {
        Providers.Choice choice = Providers.choose(Providers.AUTO, Providers.AUTO);
        if (IoUringLoop.unavailable().isEmpty()) {
            assertThat(choice.backend().name()).isEqualTo("io_uring");
            assertThat(choice.loop().name()).isEqualTo("io_uring");
        } else {
            assertThat(choice.backend().name()).isIn("linux-aio", "nio");
        }
    }

    @Test
    void shouldTakeABackendThatRunsOnTheLoopAskedFor() throws IOException {
        Providers.Choice choice = Providers.choose(Providers.AUTO, "thread");
        assertThat(choice.backend().name()).isEqualTo("nio");
        assertThat(choice.loop().name()).isEqualTo("thread");
    }

    @Test
    void shouldOpenAnImageWithABackendThatRunsOnTheLoopThereIs(@TempDir Path directory) throws IOException {
        BackendOptions options = BackendOptions.of(Files.write(directory.resolve("disk.img"), new byte[4096]));
        try (BlockBackend backend = Providers.open(Providers.AUTO, "thread", options)) {
            assertThat(backend.name()).isEqualTo("nio");
        }
        assertThatThrownBy(() -> Providers.open("io_uring", "thread", options)).isInstanceOf(IOException.class).hasMessageContaining("io_uring");
    }

    /** Not even where the image could be mapped, on any loop. */
    @Test
    void shouldTakeTheMappedBackendOnlyWhereItIsAskedFor() throws IOException {
        Path image = Files.createTempFile(Path.of("/dev/shm"), "sluice-choice", ".img");
        BackendOptions options = BackendOptions.of(Files.write(image, new byte[4096]));
        for (String loop : List.of("io_uring", "epoll", "thread", "")) {
            try (BlockBackend backend = Providers.open(Providers.AUTO, loop, options)) {
                assertThat(backend.name()).as("on loop '%s'", loop).isNotEqualTo("mapped");
            }
        }
        for (String loop : List.of(Providers.AUTO, "epoll", "thread")) {
            assertThat(Providers.choose(Providers.AUTO, loop).backend().name()).isNotEqualTo("mapped");
        }
        assertThat(new MappedBackendProvider().preference())
                .as("behind one that works everywhere and on every loop, also where this machine cannot do the others")
                .isLessThan(new NioBackendProvider().preference());
        try (BlockBackend backend = Providers.open("mapped", "epoll", options)) {
            assertThat(backend.name()).isEqualTo("mapped");
        }
        assertThatThrownBy(() -> Providers.choose("mapped", "thread")).isInstanceOf(IOException.class)
                .hasMessageContaining("mapped does not run on loop thread");
        Files.delete(image);
    }

    @Test
    void shouldSayWhyTwoDoNotFit() {
        assertThatThrownBy(() -> Providers.choose("io_uring", "thread")).isInstanceOf(IOException.class).hasMessageContaining("io_uring");
        assertThatThrownBy(() -> Providers.choose("tape", Providers.AUTO))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("no backend 'tape'")
                .hasMessageContaining("backend nio");
    }

    /** As where each ring takes locked memory: the probe's fits, those of the loops do not. */
    @Test
    void shouldFallBackToEpollWhenARingCannotBeMade() throws IOException {
        List<String> told = new ArrayList<>();
        Providers.LoopStarter poor = (provider, number) -> {
            if (provider.name().equals("io_uring") && number == 1) {
                throw new IOException("io_uring cannot lock memory (made up)");
            }
            return provider.start("poor-" + number);
        };
        List<IoLoop> loops = Providers.startLoops(Providers.AUTO, 2, poor, told::add);
        try {
            assertThat(loops).extracting(IoLoop::kind).containsExactly("epoll", "epoll");
            assertThat(told).hasSize(1).first().asString().contains("loop epoll; passed over: io_uring: ");
        } finally {
            loops.forEach(IoLoop::close);
        }
    }

    @Test
    void shouldSayWhyWhenTheKindOfLoopThatWasAskedForCannotBeMade() {
        assertThatThrownBy(() -> Providers.startLoops("epoll", 1, (_, _) -> {
            throw new IOException("not today");
        }, _ -> {})).isInstanceOf(IOException.class).hasMessage("not today");
    }

    @Test
    void shouldServeNoGuestOnALoopThatWatchesNothing() {
        assertThatThrownBy(() -> Providers.loop("thread", told -> {})).isInstanceOf(IOException.class).hasMessageContaining("BlockDevice only");
    }
}
