package dev.sluice.aio.uring;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.aio.loop.IoLoopContract;
import dev.sluice.pipeline.IoLoop;
import java.io.IOException;
import org.junit.jupiter.api.Test;

/** A loop that spins before it sleeps keeps the contract of all loops. */
class BusyPollingLoopTest extends IoLoopContract {
    @Override
    protected IoLoop start(String name) throws IOException {
        return IoUringLoop.start(name, IoUringLoopOptions.DEFAULT.withDaemon(true).withPollMaxNanos(50_000));
    }

    @Test
    void shouldSayThatItBusyPolls() throws IOException {
        try (IoLoop polling = start("polling"); IoLoop sleeping = IoUringLoop.start("sleeping", IoUringLoopOptions.DEFAULT.withDaemon(true))) {
            assertThat(polling.busyPolls()).isTrue();
            assertThat(sleeping.busyPolls()).isFalse();
        }
    }
}
