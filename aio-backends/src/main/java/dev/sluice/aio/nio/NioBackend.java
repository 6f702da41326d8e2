package dev.sluice.aio.nio;

import dev.sluice.aio.image.ImageBackend;
import dev.sluice.aio.threads.CallThreads;
import dev.sluice.pipeline.BlockSink;
import dev.sluice.pipeline.IoLoop;

/** A raw image and the threads that read and write it, both of which it owns. <b>Threading</b>, <b>Ownership:</b> as {@link ImageBackend} says. */
final class NioBackend extends ImageBackend<NioImage> {
    /** Requests that are with the kernel at once, over all loops: what a disk needs to be busy, no more threads than that. */
    static final int THREADS = 32;

    private final int sinkCapacity;
    private final CallSeam seam;
    private final CallThreads threads;

    NioBackend(NioImage image, int sinkCapacity, CallThreads threads, CallSeam seam) {
        super(NioBackendProvider.NAME, image);
        this.sinkCapacity = sinkCapacity;
        this.threads = threads;
        this.seam = seam;
    }

    @Override
    protected BlockSink makeSink(IoLoop loop) {
        loop.assertInLoop();
        return new NioSink(loop, image(), sinkCapacity, threads, seam, this::sinkClosed);
    }

    @Override
    protected void release() {
        threads.close();
    }
}
