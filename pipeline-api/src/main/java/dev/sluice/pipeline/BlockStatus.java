package dev.sluice.pipeline;

import dev.sluice.linux.Errno;

/**
 * How a request ended, as its guest sees it. The only place where an errno becomes a status.
 *
 * <p>Source: VIRTIO 1.3 §5.2.6, {@code VIRTIO_BLK_S_*}.
 */
public enum BlockStatus {
    OK(0),
    IOERR(1),
    UNSUPP(2);

    private final byte wireValue;

    BlockStatus(int wireValue) {
        this.wireValue = (byte) wireValue;
    }

    /** The status byte of {@code struct virtio_blk_req}. */
    public byte wireValue() {
        return wireValue;
    }

    /** The status of a result: zero or more is OK, a negative errno one of the others. Allocates nothing. */
    public static BlockStatus ofResult(int result) {
        if (result >= 0) {
            return OK;
        }
        return result == -Errno.EOPNOTSUPP ? UNSUPP : IOERR;
    }
}
