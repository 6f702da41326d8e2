package dev.sluice.virtio.layout;

import static dev.sluice.virtio.layout.LittleEndian.U16;
import static dev.sluice.virtio.layout.LittleEndian.U32;
import static dev.sluice.virtio.layout.LittleEndian.U64;
import static dev.sluice.virtio.layout.LittleEndian.U8;

import java.lang.foreign.MemorySegment;

/**
 * The device configuration space. VIRTIO 1.3 §5.2.4.
 *
 * <pre>
 * struct virtio_blk_config {
 *     le64 capacity;                        // 0, in sectors of 512 bytes whatever blk_size says
 *     le32 size_max;                        // 8
 *     le32 seg_max;                         // 12
 *     struct { le16 cylinders; u8 heads; u8 sectors; } geometry;   // 16
 *     le32 blk_size;                        // 20
 *     struct { u8 physical_block_exp; u8 alignment_offset; le16 min_io_size; le32 opt_io_size; } topology;   // 24
 *     u8 writeback;                         // 32
 *     u8 unused0;
 *     le16 num_queues;                      // 34
 *     le32 max_discard_sectors;             // 36
 *     le32 max_discard_seg;                 // 40
 *     le32 discard_sector_alignment;        // 44
 *     le32 max_write_zeroes_sectors;        // 48
 *     le32 max_write_zeroes_seg;            // 52
 *     u8 write_zeroes_may_unmap;            // 56
 *     u8 unused1[3];
 *     le32 max_secure_erase_sectors;        // 60
 *     le32 max_secure_erase_seg;            // 64
 *     le32 secure_erase_sector_alignment;   // 68
 *     struct virtio_blk_zoned_characteristics zoned;   // 72
 * };
 * </pre>
 */
public final class VirtioBlkConfig {
    public static final int SIZE = 96;

    public static final int CAPACITY = 0;
    public static final int SIZE_MAX = 8;
    public static final int SEG_MAX = 12;
    public static final int BLK_SIZE = 20;
    public static final int PHYSICAL_BLOCK_EXP = 24;
    public static final int ALIGNMENT_OFFSET = 25;
    public static final int MIN_IO_SIZE = 26;
    public static final int OPT_IO_SIZE = 28;
    public static final int WRITEBACK = 32;
    public static final int NUM_QUEUES = 34;
    public static final int MAX_DISCARD_SECTORS = 36;
    public static final int MAX_DISCARD_SEG = 40;
    public static final int DISCARD_SECTOR_ALIGNMENT = 44;
    public static final int MAX_WRITE_ZEROES_SECTORS = 48;
    public static final int MAX_WRITE_ZEROES_SEG = 52;
    public static final int WRITE_ZEROES_MAY_UNMAP = 56;

    private VirtioBlkConfig() {}

    public static int u8(MemorySegment config, int offset) {
        return config.get(U8, offset) & 0xFF;
    }

    public static int u16(MemorySegment config, int offset) {
        return config.get(U16, offset) & 0xFFFF;
    }

    public static long u32(MemorySegment config, int offset) {
        return config.get(U32, offset) & 0xFFFF_FFFFL;
    }

    public static long u64(MemorySegment config, int offset) {
        return config.get(U64, offset);
    }

    public static void u8(MemorySegment config, int offset, int value) {
        config.set(U8, offset, (byte) value);
    }

    public static void u16(MemorySegment config, int offset, int value) {
        config.set(U16, offset, (short) value);
    }

    public static void u32(MemorySegment config, int offset, long value) {
        config.set(U32, offset, (int) value);
    }

    public static void u64(MemorySegment config, int offset, long value) {
        config.set(U64, offset, value);
    }
}
