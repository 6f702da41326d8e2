package dev.sluice.aio.epoll;

import dev.sluice.pipeline.IoLoop;
import dev.sluice.pipeline.IoLoopProvider;
import java.io.IOException;
import java.util.Optional;

/** The {@code epoll} loop. */
public final class EpollLoopProvider implements IoLoopProvider {

    @Override
    public String name() {
        return "epoll";
    }

    @Override
    public Optional<String> unavailable() {
        return EpollLoop.unavailable();
    }

    @Override
    public IoLoop start(String name) throws IOException {
        return EpollLoop.start(name, true);
    }
}
