package dev.sluice.aio.uring;

import dev.sluice.pipeline.IoLoop;
import dev.sluice.pipeline.IoLoopProvider;
import java.io.IOException;
import java.util.Optional;

/** The {@code io_uring} loop: a ring of its own. */
public final class IoUringLoopProvider implements IoLoopProvider {

    @Override
    public String name() {
        return IoUringBackendProvider.NAME;
    }

    @Override
    public int preference() {
        return 30;
    }

    @Override
    public Optional<String> unavailable() {
        return IoUringAvailability.reason();
    }

    @Override
    public IoLoop start(String name, long pollMaxNanos) throws IOException {
        return IoUringLoop.start(name, IoUringLoopOptions.DEFAULT.withDaemon(true).withPollMaxNanos(pollMaxNanos));
    }
}
