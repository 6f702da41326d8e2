package dev.sluice.virtio.queue;

import java.lang.foreign.MemorySegment;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The memory map: a sorted table of regions. What is not in it does not exist for a guest's addresses.
 *
 * <p><b>Threading:</b> immutable; a {@link Cursor} belongs to one thread. <b>Ownership:</b> of the mappings none: a map is replaced while its
 * mappings stay until no queue uses them. <b>Failure:</b> null where an address lies outside.
 * <b>Allocation:</b> none in look-ups; {@link #ring} makes a view.
 */
public final class GuestMemory {
    /** No memory at all. */
    public static final GuestMemory NONE = new GuestMemory(List.of());

    private final MemoryRegion[] regions;
    private final GuestWrites writes;

    /** Makes a map whose writes nobody wants to know of; as {@link #GuestMemory(List, GuestWrites)}. */
    public GuestMemory(List<MemoryRegion> regions) {
        this(regions, GuestWrites.UNRECORDED);
    }

    /**
     * Makes a map.
     *
     * @param writes where all that is stored into this memory is reported; the same for each map that replaces another one
     * @throws IllegalArgumentException if two regions overlap, in guest physical or in front-end addresses
     */
    public GuestMemory(List<MemoryRegion> regions, GuestWrites writes) {
        this.writes = writes;
        this.regions = regions.toArray(MemoryRegion[]::new);
        for (int i = 0; i < this.regions.length; i++) {
            for (int j = 0; j < i; j++) {
                if (this.regions[i].overlaps(this.regions[j])) {
                    throw new IllegalArgumentException("memory regions overlap: " + this.regions[j] + " and " + this.regions[i]);
                }
            }
        }
        java.util.Arrays.sort(this.regions, (a, b) -> Long.compareUnsigned(a.guestAddress(), b.guestAddress()));
    }

    public List<MemoryRegion> regions() {
        return List.of(regions);
    }

    /** Where whoever stores into this memory reports it. */
    public GuestWrites writes() {
        return writes;
    }

    /** The region that holds a guest physical address, or null. */
    @Nullable
    MemoryRegion regionOf(long guestAddress) {
        int low = 0;
        int high = regions.length - 1;
        while (low <= high) {
            int middle = (low + high) >>> 1;
            MemoryRegion region = regions[middle];
            if (region.hasGuestAddress(guestAddress)) {
                return region;
            }
            if (Long.compareUnsigned(guestAddress, region.guestAddress()) < 0) {
                high = middle - 1;
            } else {
                low = middle + 1;
            }
        }
        return null;
    }

    /**
     * A view of one ring area, by its front-end virtual address.
     *
     * @return null where it does not lie in one region
     */
    public @Nullable MemorySegment ring(long userAddress, long lengthBytes) {
        for (MemoryRegion region : regions) {
            if (region.hasUserRange(userAddress, lengthBytes)) {
                return region.memory().asSlice(userAddress - region.userAddress(), lengthBytes);
            }
        }
        return null;
    }

    /** Look-ups that remember the last region: most addresses of a guest lie in one. One thread's. */
    static final class Cursor {
        private GuestMemory memory;
        private @Nullable MemoryRegion last;

        Cursor(GuestMemory memory) {
            this.memory = memory;
        }

        void memory(GuestMemory memory) {
            this.memory = memory;
            this.last = null;
        }

        /** The region of an address, or null. */
        @Nullable
        MemoryRegion regionOf(long guestAddress) {
            MemoryRegion cached = last;
            if (cached != null && cached.hasGuestAddress(guestAddress)) {
                return cached;
            }
            MemoryRegion found = memory.regionOf(guestAddress);
            if (found != null) {
                last = found;
            }
            return found;
        }
    }
}
