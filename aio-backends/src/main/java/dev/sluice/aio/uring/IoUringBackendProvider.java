package dev.sluice.aio.uring;

import dev.sluice.aio.raw.RawImage;
import dev.sluice.aio.sink.CompletionSeam;
import dev.sluice.pipeline.BackendOptions;
import dev.sluice.pipeline.BlockBackend;
import dev.sluice.pipeline.BlockBackendProvider;
import java.io.IOException;
import java.util.Optional;

/** The {@code io_uring} backend: raw images, read and written through the ring of the loop that serves the queue, an {@link IoUringLoop}. */
public final class IoUringBackendProvider implements BlockBackendProvider {
    static final String NAME = "io_uring";

    @Override
    public String name() {
        return NAME;
    }

    @Override
    public Optional<String> unavailable() {
        return IoUringLoop.unavailable();
    }

    @Override
    public BlockBackend open(BackendOptions options) throws IOException {
        return open(options, CompletionSeam.NONE);
    }

    static BlockBackend open(BackendOptions options, CompletionSeam seam) throws IOException {
        return new UringBackend(RawImage.open(options), options.sinkCapacity(), seam);
    }
}
