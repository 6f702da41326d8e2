package dev.sluice.virtio.queue;

import dev.sluice.linux.Iovec;
import dev.sluice.linux.NativeBlock;
import dev.sluice.linux.NativeMemory;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * Native iovec arrays of one queue: a few inline for each request, a capped pool of large ones for requests of as many segments as {@code seg_max} says, and
 * one of a few of the largest size for drivers that send more.
 *
 * <pre>
 * | slot 0: 8 iovecs | slot 1: 8 iovecs | ... | of 256 slots, once one of them is used
 * | large block 0 | large block 1 | ... |
 * | largest block 0 |   | largest block 1 |   each once it is used
 * </pre>
 *
 * <p><b>Threading:</b> the queue's loop. <b>Ownership:</b> the memory is the slab's until {@link #close}, when no request is in flight.
 * <b>Failure:</b> {@link #takeLarge} and {@link #takeLargest} return {@link #EXHAUSTED}: backpressure. <b>Allocation:</b> large blocks at creation, those
 * of slots when {@link #inline} first names one of their 256, the largest ones when as many as never before are taken at once.
 */
public final class IovecSlab implements AutoCloseable {
    /** Iovecs that each request has without asking: most requests need one or two. */
    public static final int INLINE = 8;

    /** {@link #takeLarge}, {@link #takeLargest}: all of them are taken. */
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
    private final @Nullable NativeBlock[] largest;
    private final int largestCapacity;
    private final int[] freeLargest;
    private int freeLargestCount;
    /** Whether it was the largest ones that somebody wanted last when there was none. */
    private boolean largestWanted;

    /**
     * Allocates.
     *
     * @param slots requests of the queue, at most
     * @param segments most data segments of a request that keeps to {@code seg_max}
     * @param largeBlocks how many requests of more than {@link #INLINE} segments can be in flight, at least 1
     * @param mostSegments most data segments of any request
     * @param largestBlocks how many requests of more than {@code segments} segments can be in flight, at least 1
     */
    public IovecSlab(int slots, int segments, int largeBlocks, int mostSegments, int largestBlocks) {
        this.largeCapacity = segments + 2 + REGION_SPLITS;
        this.largestCapacity = mostSegments + 2 + REGION_SPLITS;
        this.largest = new NativeBlock[largestBlocks];
        this.freeLargest = new int[largestBlocks];
        for (int i = 0; i < largestBlocks; i++) {
            freeLargest[i] = largestBlocks - 1 - i;
        }
        this.freeLargestCount = largestBlocks;
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

    /** A large block, or {@link #EXHAUSTED}. */
    public int takeLarge() {
        largestWanted = false;
        return freeCount == 0 ? EXHAUSTED : free[--freeCount];
    }

    /** A block of the largest size, or {@link #EXHAUSTED}. */
    public int takeLargest() {
        largestWanted = true;
        if (freeLargestCount == 0) {
            return EXHAUSTED;
        }
        int taken = freeLargest[freeLargestCount - 1];
        if (largest[taken] == null) {
            largest[taken] = NativeMemory.allocate((long) largestCapacity * Iovec.SIZE, 64);
        }
        freeLargestCount--;
        return free.length + taken;
    }

    /** Whether a block is of the largest size. */
    public boolean isLargest(int number) {
        return number >= free.length;
    }

    /** Iovecs in a block. */
    public int capacity(int number) {
        return isLargest(number) ? largestCapacity : largeCapacity;
    }

    /** Address of a block. */
    public long address(int number) {
        if (isLargest(number)) {
            return Objects.requireNonNull(largest[number - free.length]).address();
        }
        return largeBlocks.address() + (long) number * largeCapacity * Iovec.SIZE;
    }

    /** Takes a block back, of either size. */
    public void giveBack(int number) {
        if (isLargest(number)) {
            freeLargest[freeLargestCount++] = number - free.length;
        } else {
            free[freeCount++] = number;
        }
    }

    /** Whether there is a block of the size that was asked for last. */
    public boolean available() {
        return (largestWanted ? freeLargestCount : freeCount) > 0;
    }

    @Override
    public void close() {
        assert freeCount == free.length : (free.length - freeCount) + " iovec blocks did not come back";
        assert freeLargestCount == freeLargest.length : (freeLargest.length - freeLargestCount) + " of the largest iovec blocks did not come back";
        for (NativeBlock block : largest) {
            if (block != null) {
                block.close();
            }
        }
        for (NativeBlock block : inline) {
            if (block != null) {
                block.close();
            }
        }
        largeBlocks.close();
    }
}
