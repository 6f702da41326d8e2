package dev.sluice.aio.nio;

import dev.sluice.pipeline.BlockGeometry;
import dev.sluice.pipeline.BlockSink;
import dev.sluice.pipeline.IoLoop;
import dev.sluice.pipeline.ResizableBackend;
import java.io.IOException;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;

/**
 * A raw image and the threads that read and write it.
 *
 * <p><b>Threading:</b> as {@link dev.sluice.pipeline.BlockBackend} says. <b>Ownership:</b> image and threads are this object's, which lets go of both once it
 * has been closed and the last of its sinks has: a sink closes late where requests are on threads.
 */
final class NioBackend implements ResizableBackend {
    /** Requests that are with the kernel at once, over all loops: what a disk needs to be busy, no more threads than that. */
    static final int THREADS = 32;

    private static final int IDLE_SECONDS = 10;

    private final NioImage image;
    private final int sinkCapacity;
    private final CallSeam seam;
    private final ThreadPoolExecutor threads;

    private int openSinks;
    private boolean closed;

    NioBackend(NioImage image, int sinkCapacity, CallSeam seam) {
        this.image = image;
        this.sinkCapacity = sinkCapacity;
        this.seam = seam;
        ThreadFactory factory = Thread.ofPlatform().daemon().name("sluice-nio-", 0).factory();
        // Each of the 32768 requests at most that a sink takes is in this queue once at most.
        this.threads = new ThreadPoolExecutor(THREADS, THREADS, IDLE_SECONDS, TimeUnit.SECONDS, new LinkedBlockingQueue<>(), factory);
        threads.allowCoreThreadTimeOut(true);
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
            threads.shutdown();
            image.close();
        }
    }

    @Override
    public String toString() {
        return name() + " on " + image;
    }
}
