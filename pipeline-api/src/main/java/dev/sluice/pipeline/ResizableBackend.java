package dev.sluice.pipeline;

import java.io.IOException;

/**
 * A backend that can change the size of its image: an optional capability, asked for with {@code instanceof}.
 *
 * <p>A block device has a size of its own: whoever has changed it there asks for that very size here, and the backend looks and follows.
 *
 * <p><b>Threading:</b> any thread, and may block; not a loop's. <b>Failure:</b> the image is as it was; {@link #geometry} of a block device has
 * what size it has.
 */
public interface ResizableBackend extends BlockBackend {

    /**
     * Changes the size; when this returns, {@link #geometry} has the new one. Whoever shrinks sees to it that no request is on its way to
     * the part that goes.
     *
     * @param sizeBytes the new size, a positive multiple of 512
     * @throws IOException with one line that says which call failed, the errno, and what the person can do
     */
    void resize(long sizeBytes) throws IOException;
}
