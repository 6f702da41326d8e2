package dev.sluice.aio.uring;

import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sluice.aio.loop.IoLoopContract;
import dev.sluice.pipeline.IoLoop;
import java.io.IOException;
import org.junit.jupiter.api.Test;

class IoUringLoopTest extends IoLoopContract {
    @Override
    protected IoLoop start(String name) throws IOException {
        return IoUringLoop.start(name, IoUringLoopOptions.DEFAULT.withDaemon(true));
    }

    @Test
    void shouldRefuseRingSizesThatAreNoPowersOfTwo() {
        assertThatThrownBy(() -> new IoUringLoopOptions(1000, 4096, true)).isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("1000 submission entries");
        assertThatThrownBy(() -> new IoUringLoopOptions(1024, 512, true)).isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("512 completion entries");
    }
}
