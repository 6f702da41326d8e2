package dev.sluice.virtio.driver;

import dev.sluice.virtio.layout.VirtqAvail;
import dev.sluice.virtio.layout.VirtqDesc;
import dev.sluice.virtio.layout.VirtqUsed;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.VarHandle;
import java.util.Arrays;

/**
 * A split virtqueue from the driver's side: descriptors, avail ring, used ring, and when to notify.
 *
 * <p>What the driver has to remember (free descriptors, indexes, chains) is in private memory: the device can write to
 * the rings, so nothing is read back from them but the used ring. Methods called {@code raw} write what they are given,
 * for tests of devices against hostile drivers. All else is as {@link DriverRing} says. VIRTIO 1.3 §2.7.
 */
public final class SplitDriverRing implements DriverRing {
    private static final int NONE = -1;

    private final MemoryRegion region;
    private final MemorySegment memory;
    private final int size;
    private final int mask;
    private final boolean eventIdx;
    private final long descBase;
    private final long availBase;
    private final long usedBase;

    /** Of a free descriptor the next free one; of one in a chain the next of its chain. */
    private final int[] next;
    /** Descriptors of the chain that starts at a head the device has, 0 for others. */
    private final int[] chainLength;

    private int firstFree;
    private int freeDescriptors;
    private int outstandingChains;
    /** Head of the chain being built, and how many descriptors it has so far. */
    private int building = NONE;

    private int linked;
    private int availIdx;
    private int publishedIdx;
    private int usedIdx;

    private SplitDriverRing(MemoryRegion region, int size, boolean eventIdx) {
        this.region = region;
        this.memory = region.memory();
        this.size = size;
        this.mask = size - 1;
        this.eventIdx = eventIdx;
        this.descBase = region.allocate((long) VirtqDesc.SIZE * size, 4096);
        this.availBase = region.allocate(VirtqAvail.sizeBytes(size, true), 64);
        this.usedBase = region.allocate(VirtqUsed.sizeBytes(size, true), 4096);
        this.next = new int[size];
        this.chainLength = new int[size];
        reset();
    }

    static SplitDriverRing create(MemoryRegion region, int size, boolean eventIdx) {
        return new SplitDriverRing(region, size, eventIdx);
    }

    static long memoryBytes(int size) {
        return 3 * 4096L + (long) VirtqDesc.SIZE * size + VirtqAvail.sizeBytes(size, true) + VirtqUsed.sizeBytes(size, true);
    }

    @Override
    public void reset() {
        region.memory().asSlice(descBase, (long) VirtqDesc.SIZE * size).fill((byte) 0);
        region.memory().asSlice(availBase, VirtqAvail.sizeBytes(size, eventIdx)).fill((byte) 0);
        // VIRTIO 1.3 §2.7.10: the driver initialises flags in the used ring to 0.
        region.memory().asSlice(usedBase, VirtqUsed.sizeBytes(size, eventIdx)).fill((byte) 0);
        for (int i = 0; i < size; i++) {
            next[i] = i + 1 < size ? i + 1 : NONE;
        }
        Arrays.fill(chainLength, 0);
        firstFree = 0;
        freeDescriptors = size;
        outstandingChains = 0;
        building = NONE;
        linked = 0;
        startAt(0);
    }

    @Override
    public void startAt(int idx) {
        if (outstandingChains != 0 || availIdx != publishedIdx) {
            throw new IllegalStateException("the ring is not empty");
        }
        availIdx = idx & 0xFFFF;
        publishedIdx = availIdx;
        usedIdx = availIdx;
        VirtqAvail.idxRelease(memory, availBase, availIdx);
        VirtqUsed.idxRelease(memory, usedBase, availIdx);
        // Far from any index the device will write soon; zero would ask for a call with the first request.
        disarmCall();
        if (eventIdx) {
            VirtqUsed.availEvent(memory, usedBase, size, availIdx);
        }
    }

    // ---- chains that are offered

    @Override
    public int freeDescriptors() {
        return freeDescriptors;
    }

    @Override
    public void link(long guestAddress, int length, int flags) {
        int descriptor = firstFree;
        firstFree = next[descriptor];
        freeDescriptors--;
        if (linked++ == 0) {
            building = descriptor;
        }
        VirtqDesc.set(memory, descBase + (long) VirtqDesc.SIZE * descriptor, guestAddress, length, flags, (flags & VirtqDesc.F_NEXT) == 0 ? 0 : firstFree);
    }

    @Override
    public void writeTableEntry(long tableOffset, int index, long guestAddress, int length, int flags) {
        VirtqDesc.set(memory, tableOffset + (long) VirtqDesc.SIZE * index, guestAddress, length, flags, (flags & VirtqDesc.F_NEXT) == 0 ? 0 : index + 1);
    }

    @Override
    public int offer() {
        int head = building;
        chainLength[head] = linked;
        building = NONE;
        linked = 0;
        VirtqAvail.ring(memory, availBase, availIdx & mask, head);
        availIdx = (availIdx + 1) & 0xFFFF;
        outstandingChains++;
        return head;
    }

    @Override
    public int outstandingChains() {
        return outstandingChains;
    }

    @Override
    public boolean publish() {
        int old = publishedIdx;
        int now = availIdx;
        if (old == now) {
            return false;
        }
        // VIRTIO 1.3 §2.7.13.3: release; pairs with the device's acquire of idx, so that it sees entries and descriptors.
        VirtqAvail.idxRelease(memory, availBase, now);
        publishedIdx = now;
        // VIRTIO 1.3 §2.7.13.4: full fence between the store of idx and the load of the suppression field; pairs with the
        // device's between its store of avail_event (or flags) and its last look at idx.
        VarHandle.fullFence();
        if (eventIdx) {
            return VirtqUsed.needsEvent(VirtqUsed.availEvent(memory, usedBase, size), now, old);
        }
        return (VirtqUsed.flags(memory, usedBase) & VirtqUsed.F_NO_NOTIFY) == 0;
    }

    // ---- chains that are used

    @Override
    public int usedElements() {
        // Acquire; pairs with the device's release of idx, so that elements, data and status bytes are visible.
        int ready = (VirtqUsed.idxAcquire(memory, usedBase) - usedIdx) & 0xFFFF;
        if (ready > outstandingChains) {
            throw new BackendViolationException("used.idx moved by " + ready + " from " + usedIdx + " while "
                    + outstandingChains + " chains were in flight");
        }
        return ready;
    }

    @Override
    public boolean hasUsed() {
        return VirtqUsed.idxAcquire(memory, usedBase) != usedIdx;
    }

    @Override
    public int usedLength() {
        return VirtqUsed.elementLen(memory, usedBase, usedIdx & mask);
    }

    @Override
    public int takeUsed() {
        int head = VirtqUsed.elementId(memory, usedBase, usedIdx & mask);
        if (head < 0 || head >= size || chainLength[head] == 0) {
            throw new BackendViolationException("used element " + usedIdx + " has id " + Integer.toUnsignedString(head)
                    + (Integer.compareUnsigned(head, size) < 0
                            ? ": that chain is not out, or was used before"
                            : ": the queue has " + size + " descriptors"));
        }
        usedIdx = (usedIdx + 1) & 0xFFFF;
        int length = chainLength[head];
        int tail = head;
        for (int i = 1; i < length; i++) {
            tail = next[tail];
        }
        next[tail] = firstFree;
        firstFree = head;
        freeDescriptors += length;
        chainLength[head] = 0;
        outstandingChains--;
        return head;
    }

    @Override
    public boolean armCall(int completions) {
        if (eventIdx) {
            VirtqAvail.usedEvent(memory, availBase, size, usedIdx + completions - 1);
        } else {
            VirtqAvail.flags(memory, availBase, 0);
        }
        // VIRTIO 1.3 §2.7.14: full fence between the store of used_event (or flags) and the last look at used.idx; pairs
        // with the device's between its store of used.idx and its load of used_event (or flags).
        VarHandle.fullFence();
        return ((VirtqUsed.idxAcquire(memory, usedBase) - usedIdx) & 0xFFFF) >= completions;
    }

    @Override
    public void disarmCall() {
        if (eventIdx) {
            // An index just passed: the device would come to it after 65,535 more elements.
            VirtqAvail.usedEvent(memory, availBase, size, usedIdx - 1);
        } else {
            VirtqAvail.flags(memory, availBase, VirtqAvail.F_NO_INTERRUPT);
        }
    }

    @Override
    public int size() {
        return size;
    }

    @Override
    public MemoryRegion region() {
        return region;
    }

    @Override
    public long descOffset() {
        return descBase;
    }

    @Override
    public long availOffset() {
        return availBase;
    }

    @Override
    public long usedOffset() {
        return usedBase;
    }

    // ---- for tests

    /** The index that the next chain gets. */
    public int availIdx() {
        return availIdx;
    }

    /** The index of the next element that will be taken from the used ring. */
    public int usedIdx() {
        return usedIdx;
    }

    /** Writes any descriptor, outside all book-keeping. */
    public void rawDescriptor(int index, long guestAddress, long length, int flags, int nextIndex) {
        VirtqDesc.set(memory, descBase + (long) VirtqDesc.SIZE * index, guestAddress, length, flags, nextIndex);
    }

    /** Writes any entry of the avail ring, outside all book-keeping. */
    public void rawAvailEntry(int position, int head) {
        VirtqAvail.ring(memory, availBase, position, head);
    }

    /** Writes {@code avail.idx} with release, outside all book-keeping. */
    public void rawAvailIdx(int idx) {
        VirtqAvail.idxRelease(memory, availBase, idx);
    }

    /** Reads {@code used.idx} with acquire. */
    public int rawUsedIdx() {
        return VirtqUsed.idxAcquire(memory, usedBase);
    }

    /** Reads the id of a used element. */
    public int rawUsedId(int position) {
        return VirtqUsed.elementId(memory, usedBase, position);
    }

    /** Reads the length of a used element. */
    public int rawUsedLength(int position) {
        return VirtqUsed.elementLen(memory, usedBase, position);
    }
}
