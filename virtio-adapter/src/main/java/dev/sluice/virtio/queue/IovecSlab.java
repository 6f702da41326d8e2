package dev.sluice.virtio.queue;

import dev.sluice.linux.Iovec;
import dev.sluice.linux.NativeBlock;
import dev.sluice.linux.NativeMemory;
import org.jspecify.annotations.Nullable;

/**
 * Native iovec arrays of one queue: a few inline for each request, and a capped pool of large ones for requests of many segments.
 *
 * <pre>
 * | slot 0: 8 iovecs | slot 1: 8 iovecs | ... | of 256 slots, once one of them is used
 * | large block 0 | large block 1 | ... |
 * </pre>
 *
 * <p><b>Threading:</b> the queue's loop. <b>Ownership:</b> the memory is the slab's until {@link #close}, when no request is out.
 * <b>Failure:</b> {@link #takeLarge} answers {@link #EXHAUSTED}: backpressure. <b>Allocation:</b> large blocks at creation, those of slots when
 * {@link #inline} first names one of their 256.
 */
public final class IovecSlab implements AutoCloseable {
    /** Iovecs that each request has without asking: most requests need one or two. */
    public static final int INLINE = 8;

    /** {@link #takeLarge}: all large blocks are out. */
    public static final int EXHAUSTED = -1;

    /** Iovecs beyond the segments, for buffers that span memory regions. */
    private static final int REGION_SPLITS = 16;

    private static final int SLOTS_SHIFT = 8;
    private static final long INLINE_BYTES = (long) INLINE * Iovec.SIZE;

    private final @Nullable NativeBlock[] inline;
    private final NativeBlock largeBlocks;
    private final int largeCapacity;
    private final int[] free;
    private int freeCount;

    /**
     * Allocates.
     *
     * @param slots requests of the queue, at most
     * @param segments most data segments of a request
     * @param largeBlocks how many requests of more than {@link #INLINE} segments can be out at once, at least 1
     */
    public IovecSlab(int slots, int segments, int largeBlocks) {
        this.largeCapacity = segments + 2 + REGION_SPLITS;
        this.free = new int[largeBlocks];
        for (int i = 0; i < largeBlocks; i++) {
            free[i] = largeBlocks - 1 - i;
        }
        this.freeCount = largeBlocks;
        this.inline = new NativeBlock[((slots - 1) >> SLOTS_SHIFT) + 1];
        this.largeBlocks = NativeMemory.allocate((long) largeBlocks * largeCapacity * Iovec.SIZE, 64);
    }

    /** Address of the {@link #INLINE} iovecs of a slot. */
    public long inline(int slot) {
        int part = slot >> SLOTS_SHIFT;
        NativeBlock block = inline[part];
        if (block == null) {
            block = NativeMemory.allocate(INLINE_BYTES << SLOTS_SHIFT, 64);
            inline[part] = block;
        }
        return block.address() + (slot - (part << SLOTS_SHIFT)) * INLINE_BYTES;
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
        return largeBlocks.address() + (long) number * largeCapacity * Iovec.SIZE;
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
        for (NativeBlock block : inline) {
            if (block != null) {
                block.close();
            }
        }
        largeBlocks.close();
    }
}
