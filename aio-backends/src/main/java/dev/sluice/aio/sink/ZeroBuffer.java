package dev.sluice.aio.sink;

import dev.sluice.linux.NativeBlock;
import dev.sluice.linux.NativeMemory;

/** Zeroes to write where a file system cannot zero a range by itself: one buffer for the whole process, never written, never freed. */
public final class ZeroBuffer {
    public static final int BYTES = 256 * 1024;

    /** Aligned for any {@link dev.sluice.aio.raw.DirectAlignment}. */
    private static final NativeBlock BLOCK = NativeMemory.allocate(BYTES, 65536);

    public static final long ADDRESS = BLOCK.address();

    private ZeroBuffer() {}
}
