package dev.sluice.virtio.blk;

import dev.sluice.linux.Iovec;
import dev.sluice.linux.NativeMemory;
import dev.sluice.virtio.queue.DescriptorChain;
import dev.sluice.virtio.queue.IovecSlab;
import dev.sluice.virtio.queue.MemoryRegion;

/**
 * The iovecs of one request: the data buffers of its chain in host addresses, in the few entries that each request has or, if there are more, in a block of the
 * queue's {@link IovecSlab}.
 *
 * <p><b>Threading:</b> the queue's loop. <b>Ownership:</b> a block is this request's from {@link #gather} to {@link #release}. <b>Allocation:</b> none.
 */
final class RequestIovecs {
    /** What became of {@link #gather}; a block is held only after {@link #ALL}. */
    enum Gathered {
        ALL,
        /** All blocks are in use: try again when one is released. */
        NO_ROOM,
        OUTSIDE_MEMORY,
        TOO_MANY_SEGMENTS,
        TOO_MANY_REGIONS
    }

    private static final int NO_LARGE_BLOCK = -1;

    private final IovecSlab slab;
    private final long inline;

    private int largeBlock = NO_LARGE_BLOCK;
    private long address;
    private int count;

    /**
     * Iovecs that are not in use.
     *
     * @param inline address of {@link IovecSlab#INLINE} of them, for as long as this is used
     */
    RequestIovecs(IovecSlab slab, long inline) {
        this.slab = slab;
        this.inline = inline;
    }

    /** Of an array of {@code struct iovec}; valid from {@link #gather} to {@link #release}. */
    long address() {
        return address;
    }

    int count() {
        return count;
    }

    /** Describes {@code lengthBytes} from {@code skipBytes} behind the start of buffer {@code first}, split at the borders of regions. */
    Gathered gather(DescriptorChain chain, int first, long skipBytes, long lengthBytes) {
        address = inline;
        count = 0;
        int capacity = IovecSlab.INLINE;
        int segments = 0;
        long skip = skipBytes;
        long left = lengthBytes;
        for (int i = first; left > 0; i++) {
            long bufferBytes = chain.length(i);
            if (skip >= bufferBytes) {
                skip -= bufferBytes;
                continue;
            }
            long guestAddress = chain.address(i) + skip;
            long segmentLeft = Math.min(bufferBytes - skip, left);
            skip = 0;
            left -= segmentLeft;
            if (++segments > VirtioBlkDevice.MAX_SEGMENTS) {
                return failed(Gathered.TOO_MANY_SEGMENTS);
            }
            while (segmentLeft > 0) {
                MemoryRegion region = chain.regionOf(guestAddress);
                if (region == null) {
                    return failed(Gathered.OUTSIDE_MEMORY);
                }
                if (count == capacity) {
                    if (largeBlock != NO_LARGE_BLOCK && slab.isLargest(largeBlock)) {
                        return failed(Gathered.TOO_MANY_REGIONS);
                    }
                    if (!takeLargerBlock()) {
                        return failed(Gathered.NO_ROOM);
                    }
                    capacity = slab.capacity(largeBlock);
                }
                long bytes = Math.min(segmentLeft, region.bytesFrom(guestAddress));
                Iovec.set(address, count++, region.hostAddressOf(guestAddress), bytes);
                guestAddress += bytes;
                segmentLeft -= bytes;
            }
        }
        return Gathered.ALL;
    }

    private boolean takeLargerBlock() {
        int taken = largeBlock == NO_LARGE_BLOCK ? slab.takeLarge() : slab.takeLargest();
        if (taken == IovecSlab.EXHAUSTED) {
            return false;
        }
        long larger = slab.address(taken);
        NativeMemory.copy(address, larger, (long) count * Iovec.SIZE);
        release();
        largeBlock = taken;
        address = larger;
        return true;
    }

    private Gathered failed(Gathered why) {
        release();
        return why;
    }

    /** Gives a block back, if there is one. */
    void release() {
        if (largeBlock != NO_LARGE_BLOCK) {
            slab.giveBack(largeBlock);
            largeBlock = NO_LARGE_BLOCK;
        }
    }
}
