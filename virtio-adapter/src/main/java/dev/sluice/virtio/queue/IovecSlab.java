package dev.sluice.virtio.queue;

import dev.sluice.linux.Iovec;
import dev.sluice.linux.NativeBlock;
import dev.sluice.linux.NativeMemory;

/**
 * Native iovec arrays of one queue: a few inline for each head, and a capped pool of large ones for requests of many segments.
 *
 * <pre>
 * | head 0: 8 iovecs | head 1: 8 iovecs | ... | large block 0 | large block 1 | ... |
 * </pre>
 *
 * <p><b>Threading:</b> the queue's loop. <b>Ownership:</b> the memory is the slab's until {@link #close}, when no request is out.
 * <b>Failure:</b> {@link #takeLarge} answers {@link #EXHAUSTED}: backpressure. <b>Allocation:</b> all of it at creation.
 */
public final class IovecSlab implements AutoCloseable {
    /** Iovecs that each head has without asking: most requests need one or two. */
    public static final int INLINE = 8;

    /** {@link #takeLarge}: all large blocks are out. */
    public static final int EXHAUSTED = -1;

    /** Iovecs beyond the segments, for buffers that span memory regions. */
    private static final int REGION_SPLITS = 16;

    private final NativeBlock block;
    private final long largeBase;
    private final int largeCapacity;
    private final int[] free;
    private int freeCount;

    /**
     * Allocates.
     *
     * @param heads size of the ring
     * @param segments most data segments of a request
     * @param largeBlocks how many requests of more than {@link #INLINE} segments can be out at once, at least 1
     */
    public IovecSlab(int heads, int segments, int largeBlocks) {
        this.largeCapacity = segments + 2 + REGION_SPLITS;
        this.free = new int[largeBlocks];
        for (int i = 0; i < largeBlocks; i++) {
            free[i] = largeBlocks - 1 - i;
        }
        this.freeCount = largeBlocks;
        long inlineBytes = (long) heads * INLINE * Iovec.SIZE;
        this.block = NativeMemory.allocate(inlineBytes + (long) largeBlocks * largeCapacity * Iovec.SIZE, 64);
        this.largeBase = block.address() + inlineBytes;
    }

    /** Address of the {@link #INLINE} iovecs of a head. */
    public long inline(int head) {
        return block.address() + (long) head * INLINE * Iovec.SIZE;
    }

    /** Iovecs in a large block. */
    public int largeCapacity() {
        return largeCapacity;
    }

    /** A large block, or {@link #EXHAUSTED}. */
    public int takeLarge() {
        return freeCount == 0 ? EXHAUSTED : free[--freeCount];
    }

    public long large(int number) {
        return largeBase + (long) number * largeCapacity * Iovec.SIZE;
    }

    public void giveBack(int number) {
        free[freeCount++] = number;
    }

    /** Large blocks that nobody has. */
    public int available() {
        return freeCount;
    }

    @Override
    public void close() {
        assert freeCount == free.length : (free.length - freeCount) + " iovec blocks did not come back";
        block.close();
    }
}
