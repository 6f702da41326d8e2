package dev.sluice.aio.uring;

import dev.sluice.aio.raw.RawImage;
import dev.sluice.pipeline.BlockBackend;
import dev.sluice.pipeline.BlockGeometry;
import dev.sluice.pipeline.BlockSink;
import dev.sluice.pipeline.IoLoop;

/**
 * A raw image served through the rings of its loops.
 *
 * <p><b>Threading:</b> as {@link BlockBackend} says. <b>Ownership:</b> the image's, which it closes once it has itself been closed and the last
 * of its sinks has: a sink with requests in the kernel closes late, and its descriptors must not be given to other files before.
 */
final class UringBackend implements BlockBackend {
    private final RawImage image;
    private final int sinkCapacity;
    private final CompletionSeam seam;

    private int openSinks;
    private boolean closed;

    UringBackend(RawImage image, int sinkCapacity, CompletionSeam seam) {
        this.image = image;
        this.sinkCapacity = sinkCapacity;
        this.seam = seam;
    }

    @Override
    public String name() {
        return IoUringBackendProvider.NAME;
    }

    @Override
    public BlockGeometry geometry() {
        return image.geometry();
    }

    @Override
    public BlockSink openSink(IoLoop loop) {
        if (!(loop instanceof IoUringLoop ringLoop)) {
            throw new IllegalArgumentException("the io_uring backend needs an io_uring loop (IoUringLoop); " + loop.name() + " is a " + loop.getClass().getSimpleName());
        }
        ringLoop.assertInLoop();
        UringSink sink = new UringSink(ringLoop, image, sinkCapacity, seam, this::sinkClosed);
        synchronized (this) {
            if (closed) {
                throw new IllegalStateException(image + " is closed");
            }
            openSinks++;
        }
        try {
            sink.register();
        } catch (Throwable refused) {
            sinkClosed();
            throw refused;
        }
        return sink;
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
            image.close();
        }
    }

    @Override
    public String toString() {
        return name() + " on " + image;
    }
}
