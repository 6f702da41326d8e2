package dev.sluice.pipeline;

/** What a request asks the disk for. */
public enum BlockOp {
    READ,
    WRITE,
    FLUSH,
    DISCARD,
    WRITE_ZEROES;

    /** True where the request changes what is on the disk, so that a read-only disk refuses it. */
    public boolean modifies() {
        return this == WRITE || this == DISCARD || this == WRITE_ZEROES;
    }
}
