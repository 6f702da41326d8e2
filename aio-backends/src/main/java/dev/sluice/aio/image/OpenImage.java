package dev.sluice.aio.image;

import dev.sluice.pipeline.BlockGeometry;
import java.io.IOException;

/** An image that a backend has open, however it is read and written. <b>Threading:</b> any. */
public interface OpenImage extends AutoCloseable {
    BlockGeometry geometry();

    /** Whether syncs have failed; the same for all sinks. */
    WritebackState writeback();

    /** Where the image ends now. */
    ImageSize size();

    /** As {@link dev.sluice.pipeline.ResizableBackend#resize}. */
    void resize(long sizeBytes) throws IOException;

    /** Releases the image and its lock. Idempotent. */
    @Override
    void close();
}
