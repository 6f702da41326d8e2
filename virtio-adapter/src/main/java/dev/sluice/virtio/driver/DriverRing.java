package dev.sluice.virtio.driver;

import dev.sluice.virtio.layout.VirtioFeatures;

/**
 * What a driver needs of a virtqueue, whatever the format of its ring: descriptors are linked to chains, chains are offered and published, and come back used.
 * It knows nothing of block requests, and shares nothing but the layouts of memory with the device's side of a ring.
 *
 * <p><b>Threading</b>: one thread at a time. <b>Ownership</b>: its memory belongs to the {@link MemoryRegion}.
 * <b>Failure</b>: {@link BackendViolationException} if the device's part of the ring is not a possible one. <b>Allocation</b>: at creation
 * only. VIRTIO 1.3 §2.6.
 */
public sealed interface DriverRing permits SplitDriverRing {
    /** A ring of {@code size} descriptors, a power of two, in memory of the region, in the format that the negotiated {@code features} ask for. */
    static DriverRing create(MemoryRegion region, int size, long features) {
        return SplitDriverRing.create(region, size, (features & VirtioFeatures.EVENT_IDX) != 0);
    }

    /** Memory that a ring of any format takes, alignment included. */
    static long memoryBytes(int size) {
        return SplitDriverRing.memoryBytes(size);
    }

    /** Empties the ring, as after a device reset: position zero, all descriptors free, no interrupts wanted. */
    void reset();

    /** Moves an empty ring to a position, as after many requests; the device is given the same with SET_VRING_BASE. */
    void startAt(int position);

    // ---- chains that are offered

    /** Descriptors that no chain uses. */
    int freeDescriptors();

    /**
     * Appends a descriptor to the chain being built. The caller has looked at {@link #freeDescriptors()}.
     *
     * @param flags {@code VirtqDesc.F_*}; F_NEXT if another one follows
     */
    void link(long guestAddress, int length, int flags);

    /** Writes an entry of an indirect table at an offset in the memory of the region; {@code flags} as in {@link #link}. */
    void writeTableEntry(long tableOffset, int index, long guestAddress, int length, int flags);

    /** Ends the chain being built and makes it the next one; not published yet. Returns the identifier that it will be used under. */
    int offer();

    /** Chains offered and not used yet, unpublished ones included. */
    int outstandingChains();

    /** Makes what was offered visible to the device. Returns whether the device wants a kick. */
    boolean publish();

    // ---- chains that are used

    /**
     * Used elements that wait to be taken.
     *
     * @throws BackendViolationException if there are more of them than chains in flight
     */
    int usedElements();

    /** True if the device has used something; validates nothing. */
    boolean hasUsed();

    /** Bytes written, of the element that {@link #takeUsed()} will take. */
    int usedLength();

    /**
     * Takes the next used element, frees the descriptors of its chain and returns its identifier.
     *
     * @throws BackendViolationException if the device does not have such a chain: a wrong identifier, or one used twice
     */
    int takeUsed();

    /**
     * Asks for an interrupt when {@code completions} more elements are used, and looks again.
     *
     * @return true if they are used already and nobody needs to sleep
     */
    boolean armCall(int completions);

    /** Asks for no interrupts. The device may still make one. */
    void disarmCall();

    // ---- where it lies

    /** Descriptors in the ring. */
    int size();

    /** Where the parts of the ring lie. */
    MemoryRegion region();

    /** Offset of the descriptor area in the memory of the region: "descriptor" of SET_VRING_ADDR. */
    long descOffset();

    /** Offset of the driver area in the memory of the region: "available" of SET_VRING_ADDR. */
    long availOffset();

    /** Offset of the device area in the memory of the region: "used" of SET_VRING_ADDR. */
    long usedOffset();
}
