package dev.sluice.aio.nio;

import dev.sluice.pipeline.IoLoop;
import dev.sluice.pipeline.IoLoopProvider;
import java.util.Optional;

/** The {@code thread} loop: a thread that parks. Works everywhere, for {@code BlockDevice} only. */
public final class ThreadLoopProvider implements IoLoopProvider {
    static final String NAME = "thread";

    @Override
    public String name() {
        return NAME;
    }

    @Override
    public int preference() {
        return 10;
    }

    @Override
    public Optional<String> unavailable() {
        return Optional.empty();
    }

    @Override
    public boolean watches() {
        return false;
    }

    @Override
    public IoLoop start(String name, long pollMaxNanos) {
        return ThreadLoop.start(name);
    }
}
