package dev.sluice.virtio.layout;

import java.lang.foreign.MemorySegment;

/**
 * The first 16 device-readable bytes of a request, however they are split over descriptors. VIRTIO 1.3 §5.2.6.
 *
 * <pre>
 * struct virtio_blk_req {
 *     le32 type;
 *     le32 reserved;
 *     le64 sector;
 *     u8 data[];
 *     u8 status;   // the last device-writable byte of the chain
 * };
 * </pre>
 */
public final class VirtioBlkRequestHeader {
    public static final int SIZE = 16;
    public static final int TYPE = 0;
    public static final int SECTOR = 8;

    // VIRTIO_BLK_T_*
    public static final int T_IN = 0;
    public static final int T_OUT = 1;
    public static final int T_FLUSH = 4;
    public static final int T_GET_ID = 8;
    public static final int T_DISCARD = 11;
    public static final int T_WRITE_ZEROES = 13;

    /** Room that a GET_ID fills: NUL padded, no terminator needed when full. */
    public static final int ID_BYTES = 20;

    private VirtioBlkRequestHeader() {}

    public static int type(MemorySegment memory, long base) {
        return SharedMemory.u32(memory, base + TYPE);
    }

    /** Unsigned 64 bits. */
    public static long sector(MemorySegment memory, long base) {
        return SharedMemory.u64(memory, base + SECTOR);
    }

    public static void set(MemorySegment memory, long base, int type, long sector) {
        // The reserved word with it.
        SharedMemory.u64(memory, base + TYPE, Integer.toUnsignedLong(type));
        SharedMemory.u64(memory, base + SECTOR, sector);
    }
}
