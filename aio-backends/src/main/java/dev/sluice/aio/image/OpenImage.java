package dev.sluice.aio.image;

import dev.sluice.linux.Errno;
import dev.sluice.pipeline.BlockGeometry;
import dev.sluice.pipeline.BlockOp;
import dev.sluice.pipeline.BlockRequest;
import java.io.IOException;

/** An image that a backend has open, however it is read and written. <b>Threading:</b> any. */
public interface OpenImage extends AutoCloseable {
    BlockGeometry geometry();

    /** Whether syncs have failed; the same for all sinks. */
    WritebackState writeback();

    /** Where the image ends now. */
    ImageSize size();

    /**
     * The negative errno of a request that fails before anything of it is done, 0 if there is none: EROFS where the image may only be read, EIO for what lies
     * behind its present end, and EIO for what promises stable storage once a sync has failed.
     */
    default int refusal(BlockRequest request) {
        BlockOp op = request.op();
        if (op.modifies() && geometry().readOnly()) {
            return -Errno.EROFS;
        }
        if (!size().reachesTo(request.offsetBytes() + request.lengthBytes())) {
            return -Errno.EIO;
        }
        return promises(request) && writeback().failed() ? -Errno.EIO : 0;
    }

    /** Whether the completion of a request says that something is on stable storage. */
    static boolean promises(BlockRequest request) {
        return request.op() == BlockOp.FLUSH || (request.durable() && request.op().modifies());
    }

    /** As {@link dev.sluice.pipeline.ResizableBackend#resize}. */
    void resize(long sizeBytes) throws IOException;

    /** Releases the image and its lock. Idempotent. */
    @Override
    void close();
}
