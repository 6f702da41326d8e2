package dev.sluice.aio.nio;

import dev.sluice.aio.threads.CallThreads;
import dev.sluice.pipeline.BackendHealth;
import dev.sluice.pipeline.BlockGeometry;
import dev.sluice.pipeline.BlockSink;
import dev.sluice.pipeline.IoLoop;
import dev.sluice.pipeline.ResizableBackend;
import java.io.IOException;

/**
 * A raw image and the threads that read and write it.
 *
 * <p><b>Threading:</b> as {@link dev.sluice.pipeline.BlockBackend} says. <b>Ownership:</b> image and threads are this object's, which lets go of both once it
 * has been closed and the last of its sinks has: a sink closes late where requests are on threads.
 */
final class NioBackend implements ResizableBackend {
    /** Requests that are with the kernel at once, over all loops: what a disk needs to be busy, no more threads than that. */
    static final int THREADS = 32;

    private final NioImage image;
    private final int sinkCapacity;
    private final CallSeam seam;
    private final CallThreads threads;

    private int openSinks;
    private boolean closed;

    NioBackend(NioImage image, int sinkCapacity, CallThreads threads, CallSeam seam) {
        this.image = image;
        this.sinkCapacity = sinkCapacity;
        this.threads = threads;
        this.seam = seam;
    }

    @Override
    public String name() {
        return NioBackendProvider.NAME;
    }

    @Override
    public BlockGeometry geometry() {
        return image.geometry();
    }

    @Override
    public BackendHealth health() {
        return new BackendHealth(image.writeback().failed(), image.size().missingBytes());
    }

    @Override
    public void resize(long sizeBytes) throws IOException {
        image.resize(sizeBytes);
    }

    @Override
    public BlockSink openSink(IoLoop loop) {
        loop.assertInLoop();
        synchronized (this) {
            if (closed) {
                throw new IllegalStateException(image + " is closed");
            }
            openSinks++;
        }
        return new NioSink(loop, image, sinkCapacity, threads, seam, this::sinkClosed);
    }

    private synchronized void sinkClosed() {
        openSinks--;
        closeIfUnused();
    }

    @Override
    public synchronized void close() {
        closed = true;
        closeIfUnused();
    }

    private void closeIfUnused() {
        if (closed && openSinks == 0) {
            threads.close();
            image.close();
        }
    }

    @Override
    public String toString() {
        return name() + " on " + image;
    }
}
