package dev.sluice.aio.image;

import dev.sluice.pipeline.BackendHealth;
import dev.sluice.pipeline.BlockBackend;
import dev.sluice.pipeline.BlockGeometry;
import dev.sluice.pipeline.BlockSink;
import dev.sluice.pipeline.IoLoop;
import dev.sluice.pipeline.ResizableBackend;
import java.io.IOException;

/**
 * A raw image, served through sinks of one kind.
 *
 * <p><b>Threading:</b> as {@link BlockBackend} says. <b>Ownership:</b> the image's, which it closes once it has itself been closed and the last
 * of its sinks has: a sink with requests in flight closes late, and its descriptors must not be given to other files before.
 *
 * @param <I> the kind of image
 */
public abstract class ImageBackend<I extends OpenImage> implements ResizableBackend {
    private final String name;
    private final I image;

    private int openSinks;
    private boolean closed;

    protected ImageBackend(String name, I image) {
        this.name = name;
        this.image = image;
    }

    /**
     * Makes a sink for a loop, on its thread, after a check that it is one of the kind needed. The sink calls {@link #sinkClosed} at its end; where
     * this method throws, it must not.
     */
    protected abstract BlockSink makeSink(IoLoop loop);

    /** Frees what a kind of backend holds; once, after the last sink. */
    protected void release() {}

    @Override
    public final String name() {
        return name;
    }

    @Override
    public final BlockGeometry geometry() {
        return image.geometry();
    }

    @Override
    public final BackendHealth health() {
        return new BackendHealth(image.writeback().failed(), image.size().missingBytes());
    }

    @Override
    public final void resize(long sizeBytes) throws IOException {
        image.resize(sizeBytes);
    }

    protected final I image() {
        return image;
    }

    @Override
    public final BlockSink openSink(IoLoop loop) {
        synchronized (this) {
            if (closed) {
                throw new IllegalStateException(image + " is closed");
            }
            openSinks++;
        }
        try {
            return makeSink(loop);
        } catch (Throwable refused) {
            sinkClosed();
            throw refused;
        }
    }

    /** For sinks: nothing is left of one. */
    protected final synchronized void sinkClosed() {
        openSinks--;
        closeIfUnused();
    }

    @Override
    public final synchronized void close() {
        if (!closed) {
            closed = true;
            closeIfUnused();
        }
    }

    private void closeIfUnused() {
        if (closed && openSinks == 0) {
            release();
            image.close();
        }
    }

    @Override
    public final String toString() {
        return name() + " on " + image;
    }
}
