package dev.sluice.virtio.blk;

import dev.sluice.linux.Iovec;
import dev.sluice.linux.NativeMemory;
import dev.sluice.virtio.queue.DescriptorChain;
import dev.sluice.virtio.queue.IovecSlab;
import dev.sluice.virtio.queue.MemoryRegion;
import java.lang.foreign.Arena;
import org.jspecify.annotations.Nullable;

/**
 * The iovecs of one request: the data buffers of its chain in host addresses, in the few entries that each request has or, if there are more, in a block of the
 * queue's {@link IovecSlab}.
 *
 * <p><b>Threading:</b> the queue's loop. <b>Ownership:</b> a block is this request's from {@link #gather} to {@link #release}. <b>Allocation:</b> none.
 */
final class RequestIovecs implements AutoCloseable {
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

    /** Of its own in place of the slab's, where requests are not pooled. */
    private final @Nullable Arena ownInline;
    private final long inline;

    private int largeBlock = NO_LARGE_BLOCK;
    private long address;
    private int count;

    /** Those of a slot. */
    RequestIovecs(IovecSlab slab, int slot) {
        this(slab, null, slab.inline(slot));
    }

    private RequestIovecs(IovecSlab slab, @Nullable Arena ownInline, long inline) {
        this.slab = slab;
        this.ownInline = ownInline;
        this.inline = inline;
    }

    /** Those of a request for one use: what the pool saves. */
    static RequestIovecs unpooled(IovecSlab slab) {
        Arena own = Arena.ofConfined();
        return new RequestIovecs(slab, own, own.allocate((long) IovecSlab.INLINE * Iovec.SIZE, Long.BYTES).address());
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
                long offset = guestAddress - region.guestAddress();
                long bytes = Math.min(segmentLeft, region.sizeBytes() - offset);
                Iovec.set(address, count++, region.hostAddress() + offset, bytes);
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

    /** They are not used again. */
    @Override
    public void close() {
        Arena own = ownInline;
        if (own != null) {
            own.close();
        }
    }
}
