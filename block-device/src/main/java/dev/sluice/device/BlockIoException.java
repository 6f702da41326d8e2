package dev.sluice.device;

import dev.sluice.linux.Errno;
import dev.sluice.pipeline.BlockOp;
import dev.sluice.pipeline.BlockStatus;
import java.io.IOException;
import org.jspecify.annotations.Nullable;

/**
 * A request that failed, or that the device refused.
 *
 * <p><b>Threading:</b> immutable. <b>Failure:</b> the errno is the kernel's if the kernel failed the request, EROFS for a change to a read-only image,
 * EOPNOTSUPP for operations that the backend does not support, ESHUTDOWN for a closed device.
 */
public final class BlockIoException extends IOException {
    private static final long serialVersionUID = 1L;

    private final int errno;

    BlockIoException(String message, int errno) {
        super(message);
        this.errno = errno;
    }

    BlockIoException(@Nullable String message, int errno, Throwable cause) {
        super(message, cause);
        this.errno = errno;
    }

    static BlockIoException failed(BlockOp op, long offsetBytes, long lengthBytes, int errno) {
        return new BlockIoException(op + " of " + lengthBytes + " bytes at offset " + offsetBytes + ": " + Errno.describe(errno), errno);
    }

    static BlockIoException closed() {
        return new BlockIoException("the block device is closed", Errno.ESHUTDOWN);
    }

    /** A positive errno. */
    public int errno() {
        return errno;
    }

    /** IOERR or UNSUPP: the completion status that a guest would have seen. */
    public BlockStatus status() {
        return BlockStatus.ofResult(-errno);
    }
}
