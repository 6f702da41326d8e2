package dev.sluice.aio.uring;

import dev.sluice.aio.raw.RawImage;
import dev.sluice.aio.sink.CompletionSeam;
import dev.sluice.aio.threads.CallThreads;
import dev.sluice.pipeline.BackendOptions;
import dev.sluice.pipeline.BlockBackend;
import dev.sluice.pipeline.BlockBackendProvider;
import java.io.IOException;
import java.util.List;
import java.util.Optional;

/** The {@code io_uring} backend: raw images, read and written through the ring of the loop that serves the queue, an {@link IoUringLoop}. */
public final class IoUringBackendProvider implements BlockBackendProvider {
    static final String NAME = "io_uring";

    /** Requests in flight for each loop and image, unless configured. */
    private static final int DEFAULT_CAPACITY = 4096;

    /** Calls of one image at once, while the kernel can start no workers of its own. */
    private static final int THREADS = 4;

    @Override
    public String name() {
        return NAME;
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
    public List<String> loops() {
        return List.of(NAME);
    }

    @Override
    public BlockBackend open(BackendOptions options) throws IOException {
        // Here rather than where the loop starts: with an older Netty the class of the loop cannot even be linked.
        Optional<String> unsupported = IoUringAvailability.unsupportedNetty();
        if (unsupported.isPresent()) {
            throw new IOException(unsupported.get());
        }
        return open(options, CompletionSeam.NONE);
    }

    static BlockBackend open(BackendOptions options, CompletionSeam seam) throws IOException {
        // Before the image: at a limit of threads nothing else is to be closed again.
        CallThreads threads = CallThreads.shared(NAME, THREADS);
        try {
            return open(options, threads, seam);
        } catch (Throwable refused) {
            threads.close();
            throw refused;
        }
    }

    static BlockBackend open(BackendOptions options, CallThreads threads, CompletionSeam seam) throws IOException {
        return new UringBackend(RawImage.open(options), options.sinkCapacityOr(DEFAULT_CAPACITY), threads, seam);
    }
}
