package dev.sluice.virtio.queue;

import dev.sluice.linux.NativeMemory;
import dev.sluice.pipeline.BrokenQueueException;
import dev.sluice.virtio.layout.VirtqAvail;
import dev.sluice.virtio.layout.VirtqDesc;
import dev.sluice.virtio.layout.VirtqUsed;
import java.lang.foreign.MemorySegment;

/**
 * The three areas of a split virtqueue as its device sees them: takes heads, gives used elements, suppresses notifications both ways.
 *
 * <p><b>Threading:</b> the loop that owns the queue. <b>Ownership:</b> views of guest memory, whose mapping outlives the ring.
 * <b>Failure:</b> {@link BrokenQueueException} for what no correct driver does; {@code InternalError} where the memory has been truncated, which
 * in compiled code is certain only after {@link NativeMemory#surfaceFault}: the caller sees to it.
 * <b>Allocation:</b> none. Source: VIRTIO 1.3 §2.7.
 */
public final class SplitRing {
    /** Largest ring (VIRTIO 1.3 §2.7: "The maximum Queue Size value is 32768"). */
    public static final int MAX_SIZE = 32768;

    /** {@link #nextHead}: the driver has made nothing available. */
    public static final int NONE = -1;

    private static final int INDEX_MASK = 0xFFFF;

    private final int queueIndex;
    private final int size;
    private final int mask;
    private final MemorySegment descriptors;
    private final MemorySegment avail;
    private final MemorySegment used;

    /** Without it the words behind the rings are not ours: the driver may keep data of its own there, or nothing at all. */
    private final boolean eventIdx;
    /** Index of the next head to take. */
    private int lastAvail;
    /** What avail_event was last set to, with EVENT_IDX. */
    private int availEvent = -1;
    /** The driver's index as it was read last; entries below it are visible. */
    private int seenAvail;
    /** Index of the next used element to write. */
    private int nextUsed;
    /** The used index that the driver has been shown. */
    private int publishedUsed;
    /** False until the first call has been considered: that one is made in any case. */
    private boolean callConsidered;
    private boolean kicksDisabled;

    private SplitRing(int queueIndex, int size, boolean eventIdx, MemorySegment descriptors, MemorySegment avail, MemorySegment used) {
        this.queueIndex = queueIndex;
        this.size = size;
        this.mask = size - 1;
        this.eventIdx = eventIdx;
        this.descriptors = descriptors;
        this.avail = avail;
        this.used = used;
    }

    /**
     * Finds the areas in memory. Touches none of it.
     *
     * @param lastAvail index of the first head to take
     * @param eventIdx whether VIRTIO_F_EVENT_IDX was negotiated; without it the rings end before their event words
     * @throws IllegalArgumentException where an area is not aligned or does not lie in one region; the message says which
     */
    public static SplitRing locate(GuestMemory memory, RingAddresses addresses, int queueIndex, int size, int lastAvail, boolean eventIdx) {
        if (size < 1 || size > MAX_SIZE || Integer.bitCount(size) != 1) {
            throw new IllegalArgumentException("ring size " + size + " is not a power of two from 1 to " + MAX_SIZE);
        }
        SplitRing ring = new SplitRing(
                queueIndex,
                size,
                eventIdx,
                area(memory, "descriptor table", addresses.descriptors(), (long) VirtqDesc.SIZE * size, VirtqDesc.ALIGNMENT),
                area(memory, "available ring", addresses.avail(), VirtqAvail.sizeBytes(size, eventIdx), VirtqAvail.ALIGNMENT),
                area(memory, "used ring", addresses.used(), VirtqUsed.sizeBytes(size, eventIdx), VirtqUsed.ALIGNMENT));
        ring.lastAvail = lastAvail & INDEX_MASK;
        ring.seenAvail = ring.lastAvail;
        return ring;
    }

    private static MemorySegment area(GuestMemory memory, String name, long userAddress, long bytes, int alignment) {
        // VIRTIO 1.3 §2.7: alignment of the areas is 16, 2 and 4.
        MemorySegment found = memory.ring(userAddress, bytes);
        if (found == null) {
            throw new IllegalArgumentException(name + " at 0x" + Long.toHexString(userAddress) + " (" + bytes + " bytes) is not in one memory region");
        }
        if (found.address() % alignment != 0) {
            throw new IllegalArgumentException(name + " at 0x" + Long.toHexString(userAddress) + " is mapped where it is not aligned to " + alignment);
        }
        return found;
    }

    /**
     * Goes on where the used ring says that a device has stopped, and settles who is told of what. Once, before anything else.
     *
     * @return the used index found
     */
    public int start() {
        nextUsed = VirtqUsed.idxAcquire(used, 0);
        publishedUsed = nextUsed;
        // VIRTIO 1.3 §2.7.10.1: with EVENT_IDX the device sets flags to 0; without it 0 asks for kicks.
        VirtqUsed.flags(used, 0, 0);
        if (eventIdx) {
            VirtqUsed.availEvent(used, 0, size, lastAvail);
        }
        return nextUsed;
    }

    public int size() {
        return size;
    }

    public int lastAvail() {
        return lastAvail;
    }

    MemorySegment descriptors() {
        return descriptors;
    }

    // ---- the way in

    /**
     * The next head, which stays next until {@link #headTaken}; {@link #NONE} where there is none.
     *
     * @throws BrokenQueueException where the driver's index or entry is impossible
     */
    public int nextHead() {
        if (lastAvail == seenAvail) {
            // Acquire: pairs with the driver's barrier before its store of idx (VIRTIO 1.3 §2.7.13.3).
            int idx = VirtqAvail.idxAcquire(avail, 0);
            int pending = (idx - lastAvail) & INDEX_MASK;
            if (pending == 0) {
                return NONE;
            }
            if (pending > size) {
                throw broken("VIRTIO 1.3 §2.7.6: avail idx went from " + lastAvail + " to " + idx + ", more than the ring's " + size);
            }
            seenAvail = idx;
        }
        int head = VirtqAvail.ring(avail, 0, lastAvail & mask);
        if (head >= size) {
            throw broken("VIRTIO 1.3 §2.7.6: head " + head + " is beyond the ring's " + size);
        }
        return head;
    }

    /** Whether there is a head, or something else that {@link #nextHead} has to see. */
    public boolean hasNext() {
        return lastAvail != seenAvail || VirtqAvail.idxAcquire(avail, 0) != lastAvail;
    }

    public void headTaken() {
        lastAvail = (lastAvail + 1) & INDEX_MASK;
    }

    /**
     * Asks for a kick with the next head.
     *
     * @return true where a head has become available meanwhile
     */
    public boolean enableKicks() {
        if (eventIdx) {
            askForKickAt(lastAvail);
        } else if (kicksDisabled) {
            VirtqUsed.flags(used, 0, 0);
            kicksDisabled = false;
        }
        // Pairs with the driver's fence between its store of avail idx and its load of avail_event or flags (VIRTIO 1.3 §2.7.13.4.1):
        // either it sees that we want a kick, or we see its head.
        NativeMemory.fullFence();
        return VirtqAvail.idxAcquire(avail, 0) != lastAvail;
    }

    private void askForKickAt(int index) {
        availEvent = index & INDEX_MASK;
        VirtqUsed.availEvent(used, 0, size, availEvent);
    }

    public void disableKicks() {
        if (eventIdx) {
            // The driver kicks only when it passes avail_event: that may stay where it is, unless the next head would pass it.
            if (availEvent == lastAvail) {
                askForKickAt(lastAvail - 1);
            }
        } else if (!kicksDisabled) {
            VirtqUsed.flags(used, 0, VirtqUsed.F_NO_NOTIFY);
            kicksDisabled = true;
        }
    }

    // ---- the way out

    /** Writes a used element behind those already written. The driver sees it after {@link #publish}. */
    public void addUsed(int head, int writtenBytes) {
        VirtqUsed.element(used, 0, nextUsed & mask, head, writtenBytes);
        nextUsed = (nextUsed + 1) & INDEX_MASK;
    }

    /**
     * Shows the driver what was added.
     *
     * @return true where it wants a call for that
     */
    public boolean publish() {
        int old = publishedUsed;
        int now = nextUsed;
        // Release: pairs with the driver's acquire of used idx; data, status bytes and elements come before it.
        VirtqUsed.idxRelease(used, 0, now);
        publishedUsed = now;
        // Pairs with the driver's fence between its store of used_event or flags and its load of used idx (VIRTIO 1.3 §2.7.14).
        NativeMemory.fullFence();
        if (!eventIdx) {
            return (VirtqAvail.flags(avail, 0) & VirtqAvail.F_NO_INTERRUPT) == 0;
        }
        int event = VirtqAvail.usedEvent(avail, 0, size);
        boolean first = !callConsidered;
        callConsidered = true;
        return first || VirtqUsed.needsEvent(event, now, old);
    }

    private BrokenQueueException broken(String rule) {
        return new BrokenQueueException(queueIndex, rule);
    }
}
