package dev.sluice.virtio.layout;

import java.lang.foreign.MemorySegment;

/**
 * A range of a DISCARD or WRITE_ZEROES request. VIRTIO 1.3 §5.2.6.
 *
 * <pre>
 * struct virtio_blk_discard_write_zeroes {
 *     le64 sector;
 *     le32 num_sectors;
 *     le32 flags;   // bit 0: unmap
 * };
 * </pre>
 */
public final class VirtioBlkDiscardSegment {
    public static final int SIZE = 16;
    public static final int SECTOR = 0;
    public static final int NUM_SECTORS = 8;
    public static final int FLAGS = 12;
    public static final int F_UNMAP = 1;

    private VirtioBlkDiscardSegment() {}

    public static long sector(MemorySegment memory, long base) {
        return SharedMemory.u64(memory, base + SECTOR);
    }

    /** Unsigned 32 bits in a long. */
    public static long numSectors(MemorySegment memory, long base) {
        return SharedMemory.u32(memory, base + NUM_SECTORS) & 0xFFFF_FFFFL;
    }

    public static int flags(MemorySegment memory, long base) {
        return SharedMemory.u32(memory, base + FLAGS);
    }

    public static void set(MemorySegment memory, long base, long sector, long numSectors, int flags) {
        SharedMemory.u64(memory, base + SECTOR, sector);
        SharedMemory.u32(memory, base + NUM_SECTORS, (int) numSectors);
        SharedMemory.u32(memory, base + FLAGS, flags);
    }
}
