package dev.sluice.aio.mapped;

import dev.sluice.aio.sink.CompletionSeam;
import dev.sluice.pipeline.BackendOptions;
import dev.sluice.pipeline.BlockBackend;
import dev.sluice.pipeline.BlockBackendProvider;
import java.io.IOException;
import java.util.List;
import java.util.Optional;

/**
 * The {@code mapped} backend: raw images on tmpfs or hugetlbfs, mapped and copied, on an io_uring or epoll loop. Never what {@code auto} takes: whoever asks
 * for it knows what his image lies on, and what its pages count against (docs/deploy.md).
 */
public final class MappedBackendProvider implements BlockBackendProvider {
    static final String NAME = "mapped";

    /** Requests of a loop and image, unless configured: the rings of a few queues. All are copied within a few ticks. */
    private static final int DEFAULT_CAPACITY = 1024;

    @Override
    public String name() {
        return NAME;
    }

    /** Behind every other, also those of programs: nio, which works everywhere and on every loop, is taken before. */
    @Override
    public int preference() {
        return Integer.MIN_VALUE;
    }

    @Override
    public Optional<String> unavailable() {
        return Optional.empty();
    }

    @Override
    public List<String> loops() {
        return List.of("io_uring", "epoll");
    }

    @Override
    public BlockBackend open(BackendOptions options) throws IOException {
        return open(options, CompletionSeam.NONE);
    }

    static MappedBackend open(BackendOptions options, CompletionSeam seam) throws IOException {
        return new MappedBackend(MappedImage.open(options), options.sinkCapacityOr(DEFAULT_CAPACITY), seam);
    }
}
