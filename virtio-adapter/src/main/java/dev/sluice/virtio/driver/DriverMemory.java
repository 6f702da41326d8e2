package dev.sluice.virtio.driver;

import dev.sluice.linux.Mapping;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/**
 * The guest memory of a driver: regions that do not overlap, together no larger than a limit.
 *
 * <p><b>Threading</b>: one thread changes the regions; any may use their memory. <b>Ownership</b>: of all regions, until
 * {@link #close()}, whose caller has closed the queues in it and stopped the device before. <b>Failure</b>:
 * {@code IOException} from the system calls, {@code IllegalArgumentException} for overlap or a broken limit.
 * <b>Allocation</b>: set-up only.
 */
public final class DriverMemory implements AutoCloseable {
    /** Where a region lies unless the caller says otherwise: above 4 GiB, so that no offset passes for a guest address. */
    public static final long DEFAULT_GUEST_ADDRESS = 1L << 32;

    private final long limitBytes;
    private final List<MemoryRegion> regions = new ArrayList<>();
    private long totalBytes;

    /** No regions yet; at most {@code limitBytes} later. */
    public DriverMemory(long limitBytes) {
        if (limitBytes <= 0) {
            throw new IllegalArgumentException("limitBytes " + limitBytes + " is below 1");
        }
        this.limitBytes = limitBytes;
    }

    /** One region at {@link #DEFAULT_GUEST_ADDRESS}; {@code bytes}, rounded up to pages, is the limit as well. */
    public static DriverMemory ofOneRegion(long bytes) throws IOException {
        long rounded = roundedToPages(bytes);
        DriverMemory memory = new DriverMemory(rounded);
        MemoryRegion _ = memory.addRegion(DEFAULT_GUEST_ADDRESS, rounded);
        return memory;
    }

    /** The next multiple of {@link Mapping#pageBytes()}. */
    static long roundedToPages(long number) {
        return (number + Mapping.pageBytes() - 1) & -Mapping.pageBytes();
    }

    /** Adds a region that is a whole file. */
    public MemoryRegion addRegion(long guestAddress, long bytes) throws IOException {
        return addRegion(guestAddress, bytes, 0);
    }

    /** Adds a region that starts somewhere in its file, all three multiples of {@link Mapping#pageBytes()}. */
    public MemoryRegion addRegion(long guestAddress, long bytes, long fileOffset) throws IOException {
        if (bytes > limitBytes - totalBytes) {
            throw new IllegalArgumentException(
                    bytes + " bytes more than " + totalBytes + " are above the limit of " + limitBytes);
        }
        for (MemoryRegion region : regions) {
            boolean apart = guestAddress >= region.guestAddress() + region.bytes()
                    || region.guestAddress() >= guestAddress + bytes;
            if (!apart) {
                throw new IllegalArgumentException("0x" + Long.toHexString(guestAddress) + " overlaps " + region);
            }
        }
        MemoryRegion region = MemoryRegion.create(guestAddress, bytes, fileOffset);
        regions.add(region);
        totalBytes += bytes;
        return region;
    }

    /** Unmaps a region. Nothing of it is in use, and the backend has been asked to remove it (REM_MEM_REG). */
    public void removeRegion(MemoryRegion region) {
        if (!regions.remove(region)) {
            throw new IllegalArgumentException(region + " is not of this memory");
        }
        totalBytes -= region.bytes();
        region.close();
    }

    /** The regions, oldest first; a copy. */
    public List<MemoryRegion> regions() {
        return List.copyOf(regions);
    }

    /** The one region that holds the whole range of guest addresses, or {@code IllegalArgumentException}. */
    public MemoryRegion regionAt(long guestAddress, long length) {
        for (MemoryRegion region : regions) {
            if (region.contains(guestAddress, length)) {
                return region;
            }
        }
        throw new IllegalArgumentException(
                "no region holds " + length + " bytes at guest address 0x" + Long.toHexString(guestAddress));
    }

    /** A bounds checked view of a range of guest addresses within one region. */
    public MemorySegment at(long guestAddress, long length) {
        MemoryRegion region = regionAt(guestAddress, length);
        return region.memory().asSlice(guestAddress - region.guestAddress(), length);
    }

    /** Reserves aligned, zeroed bytes in the first region that has room. Returns their guest address. */
    public long allocate(long length, long alignment) {
        for (MemoryRegion region : regions) {
            if (region.fits(length, alignment)) {
                return region.guestAddress() + region.allocate(length, alignment);
            }
        }
        throw new IllegalStateException("no region has " + length + " bytes left");
    }

    @Override
    public void close() {
        regions.forEach(MemoryRegion::close);
        regions.clear();
        totalBytes = 0;
    }
}
