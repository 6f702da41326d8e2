package dev.sluice.virtio.queue;

import static dev.sluice.virtio.layout.HostMemory.HOST;

import dev.sluice.linux.NativeMemory;
import dev.sluice.pipeline.BrokenQueueException;
import dev.sluice.virtio.layout.VirtioFeatures;
import dev.sluice.virtio.layout.VirtqAvail;
import dev.sluice.virtio.layout.VirtqDesc;
import dev.sluice.virtio.layout.VirtqUsed;
import java.lang.foreign.MemorySegment;

/**
 * The three areas of a split virtqueue as its device sees them. A chain is known by its head, the index of its first descriptor; the position is the index of
 * the next entry of the available ring. All else is as {@link DeviceRing} says. Source: VIRTIO 1.3 §2.7.
 */
final class SplitRing implements DeviceRing {
    /** No head: the driver has made nothing available. */
    private static final int NONE = -1;

    private static final int INDEX_MASK = 0xFFFF;

    private final int queueIndex;
    private final int size;
    private final int mask;
    /** Host addresses of the two rings, each of which lies in one region as far as {@link VirtqAvail#sizeBytes} and {@link VirtqUsed#sizeBytes} say. */
    private final long avail;
    private final long used;
    private final SplitChains chains;
    private final InFlightChains inFlight;
    private final GuestWrites writes;

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
    /** False until the first interrupt has been considered: that one is made in any case. */
    private boolean interruptConsidered;
    private boolean kicksDisabled;
    /** The head of the chain that was fetched last, until it is taken. */
    private int fetched = NONE;

    private SplitRing(int queueIndex, int size, boolean eventIdx, SplitChains chains, long avail, long used, GuestWrites writes) {
        this.queueIndex = queueIndex;
        this.size = size;
        this.mask = size - 1;
        this.eventIdx = eventIdx;
        this.chains = chains;
        this.inFlight = new InFlightChains(size);
        this.avail = avail;
        this.used = used;
        this.writes = writes;
    }

    /** @throws IllegalArgumentException if it is not one of 16 bits */
    static void requirePosition(int position) {
        if (position < 0 || position > INDEX_MASK) {
            throw new IllegalArgumentException(Integer.toUnsignedString(position) + " is not an index of a split ring");
        }
    }

    static SplitRing locate(GuestMemory memory, RingAddresses addresses, int queueIndex, int size, int lastAvail, long features) {
        if (size < 1 || size > MAX_SIZE || Integer.bitCount(size) != 1) {
            throw new IllegalArgumentException("ring size " + size + " is not a power of two from 1 to " + MAX_SIZE);
        }
        boolean eventIdx = (features & VirtioFeatures.EVENT_IDX) != 0;
        long descriptors = area(memory, "descriptor table", addresses.descriptors(), (long) VirtqDesc.SIZE * size, VirtqDesc.ALIGNMENT);
        SplitRing ring = new SplitRing(
                queueIndex,
                size,
                eventIdx,
                new SplitChains(descriptors, size, (features & VirtioFeatures.INDIRECT_DESC) != 0),
                area(memory, "available ring", addresses.avail(), VirtqAvail.sizeBytes(size, eventIdx), VirtqAvail.ALIGNMENT),
                area(memory, "used ring", addresses.used(), VirtqUsed.sizeBytes(size, eventIdx), VirtqUsed.ALIGNMENT),
                memory.writes());
        ring.lastAvail = lastAvail & INDEX_MASK;
        ring.seenAvail = ring.lastAvail;
        return ring;
    }

    private static long area(GuestMemory memory, String name, long userAddress, long bytes, int alignment) {
        // VIRTIO 1.3 §2.7: alignment of the areas is 16, 2 and 4.
        MemorySegment found = memory.ring(userAddress, bytes);
        if (found == null) {
            throw new IllegalArgumentException(name + " at 0x" + Long.toHexString(userAddress) + " (" + bytes + " bytes) is not in one memory region");
        }
        if (found.address() % alignment != 0) {
            throw new IllegalArgumentException(name + " at 0x" + Long.toHexString(userAddress) + " is mapped where it is not aligned to " + alignment);
        }
        return found.address();
    }

    @Override
    public int size() {
        return size;
    }

    @Override
    public int position() {
        return lastAvail;
    }

    /** Continues where the used ring says that a device has stopped. */
    @Override
    public void start() {
        nextUsed = VirtqUsed.idxAcquire(HOST, used);
        publishedUsed = nextUsed;
        // VIRTIO 1.3 §2.7.10.1: with EVENT_IDX the device sets flags to 0; without it 0 asks for kicks.
        writeFlags(0);
        if (eventIdx) {
            writeAvailEvent(lastAvail);
        }
    }

    // ---- chains that become available

    @Override
    public boolean fetch(DescriptorChain chain) {
        int head = nextHead();
        if (head == NONE) {
            return false;
        }
        if (inFlight.contains(head)) {
            throw broken("VIRTIO 1.3 §2.7.13: head " + head + " was made available while it is in flight");
        }
        chains.read(head, chain);
        fetched = head;
        return true;
    }

    private int nextHead() {
        if (lastAvail == seenAvail) {
            // Acquire: pairs with the driver's barrier before its store of idx (VIRTIO 1.3 §2.7.13.3).
            int idx = VirtqAvail.idxAcquire(HOST, avail);
            int pending = (idx - lastAvail) & INDEX_MASK;
            if (pending == 0) {
                return NONE;
            }
            if (pending > size) {
                throw broken("VIRTIO 1.3 §2.7.6: avail idx went from " + lastAvail + " to " + idx + ", more than the ring's " + size);
            }
            seenAvail = idx;
        }
        int head = VirtqAvail.ring(HOST, avail, lastAvail & mask);
        if (head >= size) {
            throw broken("VIRTIO 1.3 §2.7.6: head " + head + " is beyond the ring's " + size);
        }
        return head;
    }

    @Override
    public void take() {
        assert fetched != NONE : "a chain is taken that was not fetched";
        inFlight.taken(fetched);
        fetched = NONE;
        lastAvail = (lastAvail + 1) & INDEX_MASK;
    }

    @Override
    public boolean hasNext() {
        return lastAvail != seenAvail || VirtqAvail.idxAcquire(HOST, avail) != lastAvail;
    }

    // ---- kicks

    @Override
    public boolean enableKicks() {
        if (eventIdx) {
            askForKickAt(lastAvail);
        } else if (kicksDisabled) {
            writeFlags(0);
            kicksDisabled = false;
        }
        // Pairs with the driver's fence between its store of avail idx and its load of avail_event or flags (VIRTIO 1.3 §2.7.13.4.1):
        // either it sees that we want a kick, or we see its head.
        NativeMemory.fullFence();
        return VirtqAvail.idxAcquire(HOST, avail) != lastAvail;
    }

    private void askForKickAt(int index) {
        availEvent = index & INDEX_MASK;
        writeAvailEvent(availEvent);
    }

    @Override
    public void disableKicks() {
        if (eventIdx) {
            // The driver kicks only when it passes avail_event: that may stay where it is, unless the next head would pass it.
            if (availEvent == lastAvail) {
                askForKickAt(lastAvail - 1);
            }
        } else if (!kicksDisabled) {
            writeFlags(VirtqUsed.F_NO_NOTIFY);
            kicksDisabled = true;
        }
    }

    private void writeFlags(int flags) {
        VirtqUsed.flags(HOST, used, flags);
        writes.written(used + VirtqUsed.FLAGS, Short.BYTES);
    }

    private void writeAvailEvent(int index) {
        VirtqUsed.availEvent(HOST, used, size, index);
        writes.written(used + VirtqUsed.elementOffset(size), Short.BYTES);
    }

    // ---- chains that are used

    /** Writes a used element behind those already written. */
    @Override
    public void complete(int head, int writtenBytes) {
        int slot = nextUsed & mask;
        VirtqUsed.element(HOST, used, slot, head, writtenBytes);
        writes.written(used + VirtqUsed.elementOffset(slot), VirtqUsed.ELEMENT_SIZE);
        nextUsed = (nextUsed + 1) & INDEX_MASK;
        inFlight.completed(head);
    }

    @Override
    public boolean publish() {
        int old = publishedUsed;
        int now = nextUsed;
        // Release: pairs with the driver's acquire of used idx; data, status bytes and elements come before it.
        VirtqUsed.idxRelease(HOST, used, now);
        writes.written(used + VirtqUsed.IDX, Short.BYTES);
        publishedUsed = now;
        inFlight.published();
        // Pairs with the driver's fence between its store of used_event or flags and its load of used idx (VIRTIO 1.3 §2.7.14).
        NativeMemory.fullFence();
        if (!eventIdx) {
            return (VirtqAvail.flags(HOST, avail) & VirtqAvail.F_NO_INTERRUPT) == 0;
        }
        int event = VirtqAvail.usedEvent(HOST, avail, size);
        boolean first = !interruptConsidered;
        interruptConsidered = true;
        return first || VirtqUsed.needsEvent(event, now, old);
    }

    private BrokenQueueException broken(String rule) {
        return new BrokenQueueException(queueIndex, rule);
    }
}
