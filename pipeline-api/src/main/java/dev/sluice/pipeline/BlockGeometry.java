package dev.sluice.pipeline;

/**
 * What a disk is, as its backend found it. Immutable.
 *
 * @param sizeBytes size, a multiple of 512
 * @param logicalBlockBytes smallest unit the disk addresses, a power of two from 512 to 65536
 * @param physicalBlockBytes unit that it writes without reading first, a power-of-two multiple of the logical block
 * @param optimalIoBytes preferred size of a request, 0 where the disk has no preference
 * @param readOnly whether requests that modify are refused
 * @param discard whether DISCARD is supported
 * @param writeZeroes whether WRITE_ZEROES is supported
 */
public record BlockGeometry(
        long sizeBytes,
        int logicalBlockBytes,
        int physicalBlockBytes,
        int optimalIoBytes,
        boolean readOnly,
        boolean discard,
        boolean writeZeroes) {

    public BlockGeometry {
        if (sizeBytes < 0 || sizeBytes % BlockRequest.SECTOR_BYTES != 0) {
            throw new IllegalArgumentException("size of " + sizeBytes + " bytes is not a multiple of 512");
        }
        if (Integer.bitCount(logicalBlockBytes) != 1 || logicalBlockBytes < 512 || logicalBlockBytes > 65536) {
            throw new IllegalArgumentException("logical block of " + logicalBlockBytes + " bytes is not a power of two from 512 to 65536");
        }
        if (physicalBlockBytes < logicalBlockBytes || Integer.bitCount(physicalBlockBytes) != 1) {
            throw new IllegalArgumentException("physical block of " + physicalBlockBytes + " bytes is not a power of two of at least " + logicalBlockBytes);
        }
        if (optimalIoBytes < 0) {
            throw new IllegalArgumentException("optimal I/O size of " + optimalIoBytes + " bytes is negative");
        }
    }

    /** Whether a range that ends there lies on the disk. A disk may have shrunk since a request was validated. */
    public boolean reachesTo(long endBytes) {
        return endBytes <= sizeBytes;
    }

    /** Whether a range of sectors is on the disk. Sectors are unsigned, and nothing overflows. */
    public boolean containsSectors(long sector, long sectors) {
        return contains(sectors(), sector, sectors);
    }

    /** Whether a range of bytes is on the disk. Nothing overflows. */
    public boolean containsBytes(long offsetBytes, long lengthBytes) {
        return contains(sizeBytes, offsetBytes, lengthBytes);
    }

    private static boolean contains(long size, long start, long length) {
        return start >= 0 && length >= 0 && start <= size - length;
    }

    /** Size in sectors of 512 bytes. */
    public long sectors() {
        return sizeBytes / BlockRequest.SECTOR_BYTES;
    }
}
