package dev.sluice.aio;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sluice.aio.uring.IoUringLoop;
import dev.sluice.pipeline.Providers;
import java.io.IOException;
import org.junit.jupiter.api.Test;

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
        assertThat(Providers.backend(Providers.AUTO, "thread").name()).isEqualTo("nio");
    }

    @Test
    void shouldSayWhyTwoDoNotFit() {
        assertThatThrownBy(() -> Providers.choose("io_uring", "thread")).isInstanceOf(IOException.class).hasMessageContaining("io_uring");
        assertThatThrownBy(() -> Providers.choose("tape", Providers.AUTO))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("no backend 'tape'")
                .hasMessageContaining("backend nio");
    }

    @Test
    void shouldServeNoGuestOnALoopThatWatchesNothing() {
        assertThatThrownBy(() -> Providers.loop("thread")).isInstanceOf(IOException.class).hasMessageContaining("BlockDevice only");
    }
}
