package dev.sluice.pipeline;

import org.jspecify.annotations.Nullable;

/**
 * What a request asks for. The only place where the request types of the wire are named.
 *
 * <p>Source: VIRTIO 1.3 §5.2.6, {@code VIRTIO_BLK_T_*}.
 */
public enum BlockOp {
    READ(0),
    WRITE(1),
    FLUSH(4),
    /** Fills the data with up to 20 bytes of the disk's serial. */
    GET_ID(8),
    DISCARD(11),
    WRITE_ZEROES(13);

    private final int wireType;

    BlockOp(int wireType) {
        this.wireType = wireType;
    }

    /** {@code type} of {@code struct virtio_blk_req}. */
    public int wireType() {
        return wireType;
    }

    /** The operation of a wire type, or null where this device has none for it (the status is UNSUPP). Allocates nothing. */
    public static @Nullable BlockOp ofWireType(int wireType) {
        return switch (wireType) {
            case 0 -> READ;
            case 1 -> WRITE;
            case 4 -> FLUSH;
            case 8 -> GET_ID;
            case 11 -> DISCARD;
            case 13 -> WRITE_ZEROES;
            default -> null;
        };
    }

    /** True where the request changes what is on the disk, so that a read-only disk refuses it. */
    public boolean modifies() {
        return this == WRITE || this == DISCARD || this == WRITE_ZEROES;
    }
}
