package dev.sluice.aio.raw;

import dev.sluice.linux.BlockDeviceIoctl;
import dev.sluice.linux.FileStatus;
import dev.sluice.linux.LinuxFile;
import dev.sluice.linux.NativeBlock;
import dev.sluice.linux.NativeMemory;

/**
 * What O_DIRECT wants of a request.
 *
 * @param memoryBytes buffers start at multiples of this, a power of two
 * @param offsetBytes offsets and lengths are multiples of this, a power of two
 */
public record DirectAlignment(int memoryBytes, int offsetBytes) {
    /** No rule at all: buffered access, tmpfs. */
    public static final DirectAlignment NONE = new DirectAlignment(1, 1);

    private static final int SECTOR_BYTES = 512;
    private static final int LARGEST_BYTES = 65536;
    private static final int PROBE_BYTES = 4096;

    public DirectAlignment {
        if (Integer.bitCount(memoryBytes) != 1 || memoryBytes > LARGEST_BYTES || Integer.bitCount(offsetBytes) != 1 || offsetBytes > LARGEST_BYTES) {
            throw new IllegalArgumentException("alignment of " + memoryBytes + " and " + offsetBytes + " bytes: not powers of two up to " + LARGEST_BYTES);
        }
    }

    /** Whether a position in the file, or a length, may be used as it is. */
    public boolean allowsOffset(long bytes) {
        return (bytes & (offsetBytes - 1)) == 0;
    }

    public boolean allowsAddress(long address) {
        return (address & (memoryBytes - 1)) == 0;
    }

    /** What the kernel says (statx, BLKSSZGET); where it says nothing, what a read shows. The descriptor is open with O_DIRECT. */
    static DirectAlignment of(int fd, FileStatus status) {
        if (status.dioMemoryAlign() > 0 && status.dioOffsetAlign() > 0) {
            return new DirectAlignment(status.dioMemoryAlign(), status.dioOffsetAlign());
        }
        if (status.type() == FileStatus.Type.BLOCK_DEVICE) {
            int logical = BlockDeviceIoctl.logicalBlockBytes(fd);
            return logical > 0 ? new DirectAlignment(logical, logical) : new DirectAlignment(PROBE_BYTES, PROBE_BYTES);
        }
        if (LinuxFile.fileSystemType(fd) == LinuxFile.TMPFS_MAGIC) {
            return NONE;
        }
        return probe(fd);
    }

    private static DirectAlignment probe(int fd) {
        // A file system without statx(STATX_DIOALIGN): does the smaller of the two common alignments do?
        try (NativeBlock block = NativeMemory.allocate(2L * PROBE_BYTES, PROBE_BYTES)) {
            boolean sectorLengths = LinuxFile.pread(fd, block.address(), SECTOR_BYTES, 0) >= 0;
            int offset = sectorLengths ? SECTOR_BYTES : PROBE_BYTES;
            boolean sectorAddresses = LinuxFile.pread(fd, block.address() + SECTOR_BYTES, offset, 0) >= 0;
            return new DirectAlignment(sectorAddresses ? SECTOR_BYTES : PROBE_BYTES, offset);
        }
    }
}
