package dev.sluice.aio.epoll;

import dev.sluice.pipeline.IoLoop;
import dev.sluice.pipeline.IoLoopProvider;
import java.io.IOException;
import java.util.Optional;

/** The {@code epoll} loop. */
public final class EpollLoopProvider implements IoLoopProvider {
    static final String NAME = "epoll";

    @Override
    public String name() {
        return NAME;
    }

    @Override
    public int preference() {
        return 20;
    }

    @Override
    public Optional<String> unavailable() {
        return EpollAvailability.reason();
    }

    @Override
    public IoLoop start(String name, long pollMaxNanos) throws IOException {
        return EpollLoop.start(name, true, pollMaxNanos);
    }
}
