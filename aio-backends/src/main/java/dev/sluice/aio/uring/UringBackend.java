package dev.sluice.aio.uring;

import dev.sluice.aio.image.ImageBackend;
import dev.sluice.aio.raw.RawImage;
import dev.sluice.aio.sink.CompletionSeam;
import dev.sluice.aio.threads.CallThreads;
import dev.sluice.pipeline.BlockSink;
import dev.sluice.pipeline.IoLoop;

/** A raw image served through the rings of its loops. <b>Threading</b>, <b>Ownership:</b> as {@link ImageBackend} says. */
final class UringBackend extends ImageBackend<RawImage> {
    private final int sinkCapacity;
    private final CallThreads threads;
    private final CompletionSeam seam;

    UringBackend(RawImage image, int sinkCapacity, CallThreads threads, CompletionSeam seam) {
        super(IoUringBackendProvider.NAME, image);
        this.sinkCapacity = sinkCapacity;
        this.threads = threads;
        this.seam = seam;
    }

    @Override
    protected BlockSink makeSink(IoLoop loop) {
        if (!(loop instanceof IoUringLoop ringLoop)) {
            throw new IllegalArgumentException(
                    "the io_uring backend needs an io_uring loop (IoUringLoop); " + loop.name() + " is a " + loop.getClass().getSimpleName());
        }
        ringLoop.assertInLoop();
        UringSink sink = new UringSink(ringLoop, image(), sinkCapacity, threads, seam, this::sinkClosed);
        sink.register();
        return sink;
    }

    @Override
    protected void release() {
        threads.close();
    }
}
