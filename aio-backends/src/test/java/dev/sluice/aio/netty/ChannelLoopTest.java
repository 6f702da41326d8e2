package dev.sluice.aio.netty;

import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sluice.aio.loop.HandDrivenLoop;
import dev.sluice.aio.nio.ThreadLoopProvider;
import dev.sluice.pipeline.IoLoop;
import org.junit.jupiter.api.Test;

class ChannelLoopTest {
    @Test
    void shouldSayWhichLoopHasNoChannelsAndWhatToChoose() {
        try (IoLoop loop = new ThreadLoopProvider().start("portable", 0)) {
            assertThatThrownBy(() -> ChannelLoop.of(loop))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessage(
                            "loop portable is of kind thread, which has no network channels: choose an io_uring or epoll loop (--loop io_uring, --loop epoll)");
        }
        assertThatThrownBy(() -> ChannelLoop.of(new HandDrivenLoop()))
                .hasMessageContaining("loop by-hand is of kind HandDrivenLoop, which has no network channels");
    }
}
