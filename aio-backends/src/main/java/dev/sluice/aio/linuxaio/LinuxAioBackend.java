package dev.sluice.aio.linuxaio;

import dev.sluice.aio.loop.TickLoop;
import dev.sluice.aio.image.ImageBackend;
import dev.sluice.aio.raw.RawImage;
import dev.sluice.aio.sink.CompletionSeam;
import dev.sluice.aio.threads.CallThreads;
import dev.sluice.linux.ErrnoException;
import dev.sluice.pipeline.BlockSink;
import dev.sluice.pipeline.IoLoop;

/** A raw image served through an AIO context for each loop. <b>Threading</b>, <b>Ownership:</b> as {@link ImageBackend} says. */
final class LinuxAioBackend extends ImageBackend<RawImage> {
    private final int capacity;
    private final boolean kernelSyncs;
    private final CallThreads threads;
    private final AioCalls calls;
    private final CompletionSeam seam;

    LinuxAioBackend(RawImage image, int capacity, boolean kernelSyncs, CallThreads threads, AioCalls calls, CompletionSeam seam) {
        super(LinuxAioBackendProvider.NAME, image);
        this.capacity = capacity;
        this.kernelSyncs = kernelSyncs;
        this.threads = threads;
        this.calls = calls;
        this.seam = seam;
    }

    RawImage rawImage() {
        return image();
    }

    int capacity() {
        return capacity;
    }

    /** Whether fdatasync can be given to the kernel as other requests are. */
    boolean kernelSyncs() {
        return kernelSyncs;
    }

    /** For what Linux AIO has no opcode for and what would block in io_submit. */
    CallThreads threads() {
        return threads;
    }

    @Override
    protected BlockSink makeSink(IoLoop loop) {
        if (!(loop instanceof TickLoop tickLoop)) {
            throw new IllegalArgumentException(
                    "the linux-aio backend needs an epoll or io_uring loop; " + loop.name() + " is a " + loop.getClass().getSimpleName());
        }
        tickLoop.assertInLoop();
        try {
            return LinuxAioSink.open(this, tickLoop, calls, seam, this::sinkClosed);
        } catch (ErrnoException refused) {
            throw new IllegalStateException(this + ": " + refused.getMessage(), refused);
        }
    }

    @Override
    protected void release() {
        threads.close();
    }
}
