package dev.sluice.aio.nio;

import dev.sluice.aio.threads.CallThreads;
import dev.sluice.pipeline.BackendOptions;
import dev.sluice.pipeline.BlockBackend;
import dev.sluice.pipeline.BlockBackendProvider;
import java.io.IOException;
import java.util.Optional;

/**
 * The {@code nio} backend: raw images through the JDK's channels, on threads. Works everywhere and on every loop; the package says what it lacks.
 */
public final class NioBackendProvider implements BlockBackendProvider {
    static final String NAME = "nio";

    /** Requests of a loop, unless configured; more of them would wait for the {@value NioBackend#THREADS} threads than are with them. */
    private static final int SINK_CAPACITY = 1024;

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
    public BlockBackend open(BackendOptions options) throws IOException {
        return open(options, CallSeam.NONE);
    }

    static BlockBackend open(BackendOptions options, CallSeam seam) throws IOException {
        // Before the image: at a limit of threads nothing else is to be closed again.
        CallThreads threads = CallThreads.shared(NAME, NioBackend.THREADS);
        try {
            return open(options, threads, seam);
        } catch (Throwable refused) {
            threads.close();
            throw refused;
        }
    }

    static BlockBackend open(BackendOptions options, CallThreads threads, CallSeam seam) throws IOException {
        int capacity = options.sinkCapacity() > 0 ? options.sinkCapacity() : SINK_CAPACITY;
        return new NioBackend(NioImage.open(options), capacity, threads, seam);
    }
}
