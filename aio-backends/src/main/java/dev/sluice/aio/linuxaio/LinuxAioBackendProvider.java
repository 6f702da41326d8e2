package dev.sluice.aio.linuxaio;

import dev.sluice.aio.raw.RawImage;
import dev.sluice.aio.sink.CompletionSeam;
import dev.sluice.aio.threads.CallThreads;
import dev.sluice.pipeline.BackendOptions;
import dev.sluice.pipeline.BlockBackend;
import dev.sluice.pipeline.BlockBackendProvider;
import java.io.IOException;
import java.util.List;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The {@code linux-aio} backend: raw images through io_submit, on an epoll or io_uring loop. */
public final class LinuxAioBackendProvider implements BlockBackendProvider {
    static final String NAME = "linux-aio";

    /** Requests in flight for each loop and image, unless configured; the machine's sum is bounded by fs.aio-max-nr, 65536 by default. */
    static final int DEFAULT_MAX_EVENTS = 256;

    /** Calls of one image at once. */
    private static final int THREADS = 4;

    private static final Logger LOG = LoggerFactory.getLogger(LinuxAioBackendProvider.class);

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
        return AioLimits.unavailable(DEFAULT_MAX_EVENTS);
    }

    @Override
    public Optional<String> unavailable(BackendOptions options) {
        return AioLimits.unavailable(options.sinkCapacityOr(DEFAULT_MAX_EVENTS));
    }

    @Override
    public List<String> loops() {
        return List.of("epoll", "io_uring");
    }

    @Override
    public BlockBackend open(BackendOptions options) throws IOException {
        return open(options, AioCalls.KERNEL, CompletionSeam.NONE);
    }

    static BlockBackend open(BackendOptions options, AioCalls calls, CompletionSeam seam) throws IOException {
        // Before the image: at a limit of threads nothing else is to be closed again.
        CallThreads threads = CallThreads.shared(NAME, THREADS);
        try {
            return open(options, threads, calls, seam);
        } catch (Throwable refused) {
            threads.close();
            throw refused;
        }
    }

    static BlockBackend open(BackendOptions options, CallThreads threads, AioCalls calls, CompletionSeam seam) throws IOException {
        int maxEvents = options.sinkCapacityOr(DEFAULT_MAX_EVENTS);
        boolean kernelSyncs = AioLimits.kernelSyncs(maxEvents);
        RawImage image = RawImage.open(options);
        if (!image.direct() && !image.inMemory()) {
            LOG.warn("{}: without O_DIRECT, Linux AIO waits for the disk inside io_submit and all queues of the loop wait with it", options.image());
        }
        return new LinuxAioBackend(image, maxEvents, kernelSyncs, threads, calls, seam);
    }
}
