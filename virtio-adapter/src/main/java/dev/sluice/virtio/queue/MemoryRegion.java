package dev.sluice.virtio.queue;

import java.lang.foreign.MemorySegment;

/**
 * A contiguous piece of guest memory, mapped here.
 *
 * <p><b>Threading:</b> immutable. <b>Ownership:</b> a view: whoever made the mapping keeps it until no queue uses the region.
 */
public final class MemoryRegion {
    private final long guestAddress;
    private final long userAddress;
    private final MemorySegment memory;
    private final long sizeBytes;
    /** What is to be added to a guest physical address. */
    private final long hostOffset;

    /**
     * Describes a region.
     *
     * @param guestAddress guest physical address: what descriptors hold
     * @param userAddress the front end's virtual address: what ring addresses hold
     * @param memory the mapping
     * @throws IllegalArgumentException where it is empty or wraps around 2^64, or memory of the Java heap, which has no address
     */
    public MemoryRegion(long guestAddress, long userAddress, MemorySegment memory) {
        if (!memory.isNative()) {
            throw new IllegalArgumentException("a memory region is native memory");
        }
        this.guestAddress = guestAddress;
        this.userAddress = userAddress;
        this.memory = memory;
        this.sizeBytes = memory.byteSize();
        this.hostOffset = memory.address() - guestAddress;
        requireRange("guest physical", guestAddress, sizeBytes);
        requireRange("front-end virtual", userAddress, sizeBytes);
    }

    /**
     * Checks a range before anything is mapped for it.
     *
     * @throws IllegalArgumentException where it is empty or wraps around 2^64
     */
    public static void requireRange(String space, long address, long sizeBytes) {
        // The last byte, not the one behind it: a region may end at the very end of the address space.
        if (sizeBytes <= 0 || Long.compareUnsigned(address + (sizeBytes - 1), address) < 0) {
            throw new IllegalArgumentException("region at " + space + " 0x" + Long.toHexString(address) + " of "
                    + Long.toUnsignedString(sizeBytes) + " bytes is empty or wraps around");
        }
    }

    public long guestAddress() {
        return guestAddress;
    }

    public long userAddress() {
        return userAddress;
    }

    public long sizeBytes() {
        return sizeBytes;
    }

    /** Where a guest physical address of this region is mapped in this process: for iovec bases, and for accesses to what was validated. */
    public long hostAddressOf(long address) {
        return address + hostOffset;
    }

    /** Bytes of the region from one of its guest physical addresses on. */
    public long bytesFrom(long address) {
        return sizeBytes - (address - guestAddress);
    }

    public MemorySegment memory() {
        return memory;
    }

    /** True where the byte at a guest physical address is in this region. */
    boolean hasGuestAddress(long address) {
        return Long.compareUnsigned(address - guestAddress, sizeBytes) < 0;
    }

    /** True where all of a non-empty range of guest physical addresses is. Cannot overflow: offsets are compared, not ends. */
    boolean hasGuestRange(long address, long lengthBytes) {
        long offset = address - guestAddress;
        return Long.compareUnsigned(offset, sizeBytes) < 0 && lengthBytes <= sizeBytes - offset;
    }

    boolean hasUserRange(long address, long lengthBytes) {
        long offset = address - userAddress;
        return Long.compareUnsigned(offset, sizeBytes) < 0 && lengthBytes <= sizeBytes - offset;
    }

    private static boolean overlap(long a, long aBytes, long b, long bBytes) {
        return Long.compareUnsigned(b - a, aBytes) < 0 || Long.compareUnsigned(a - b, bBytes) < 0;
    }

    boolean overlaps(MemoryRegion other) {
        return overlap(guestAddress, sizeBytes, other.guestAddress, other.sizeBytes)
                || overlap(userAddress, sizeBytes, other.userAddress, other.sizeBytes);
    }

    @Override
    public String toString() {
        return "guest 0x" + Long.toHexString(guestAddress) + " front end 0x" + Long.toHexString(userAddress) + " " + sizeBytes + " bytes";
    }
}
