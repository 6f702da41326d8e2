package dev.sluice.virtio.driver;

import dev.sluice.virtio.layout.VirtioBlkConfig;
import dev.sluice.virtio.layout.VirtioFeatures;
import java.lang.foreign.MemorySegment;

/**
 * The config space of a disk as its driver sees it. VIRTIO 1.3 §5.2.4. What belongs to a feature that was not
 * negotiated has the value that the specification gives to its absence.
 *
 * @param capacitySectors of 512 bytes, whatever {@code blkSize} says
 * @param blkSize logical block in bytes
 * @param sizeMax bytes of one segment at most, 0 for no limit
 * @param segMax segments of one request at most
 * @param numQueues 1 without MQ
 * @param writeback cache mode with CONFIG_WCE
 * @param readOnly RO was negotiated
 * @param maxDiscardSectors 0 without DISCARD, as the following two
 * @param maxWriteZeroesSectors 0 without WRITE_ZEROES, as the following two
 */
public record DiskConfig(
        long capacitySectors,
        int blkSize,
        long sizeMax,
        long segMax,
        int numQueues,
        boolean writeback,
        boolean readOnly,
        long maxDiscardSectors,
        long maxDiscardSeg,
        long discardSectorAlignment,
        long maxWriteZeroesSectors,
        long maxWriteZeroesSeg,
        boolean writeZeroesMayUnmap) {
    private static final int DEFAULT_BLK_SIZE = 512;

    /** Reads it out of a copy of the config space. */
    static DiskConfig of(MemorySegment config, long features) {
        boolean discard = (features & VirtioFeatures.BLK_DISCARD) != 0;
        boolean writeZeroes = (features & VirtioFeatures.BLK_WRITE_ZEROES) != 0;
        boolean writeback = (features & VirtioFeatures.BLK_CONFIG_WCE) != 0
                && VirtioBlkConfig.u8(config, VirtioBlkConfig.WRITEBACK) != 0;
        return new DiskConfig(
                VirtioBlkConfig.u64(config, VirtioBlkConfig.CAPACITY),
                (features & VirtioFeatures.BLK_BLK_SIZE) == 0
                        ? DEFAULT_BLK_SIZE
                        : (int) VirtioBlkConfig.u32(config, VirtioBlkConfig.BLK_SIZE),
                (features & VirtioFeatures.BLK_SIZE_MAX) == 0
                        ? 0
                        : VirtioBlkConfig.u32(config, VirtioBlkConfig.SIZE_MAX),
                (features & VirtioFeatures.BLK_SEG_MAX) == 0
                        ? 1
                        : VirtioBlkConfig.u32(config, VirtioBlkConfig.SEG_MAX),
                (features & VirtioFeatures.BLK_MQ) == 0
                        ? 1
                        : VirtioBlkConfig.u16(config, VirtioBlkConfig.NUM_QUEUES),
                writeback,
                (features & VirtioFeatures.BLK_RO) != 0,
                discard ? VirtioBlkConfig.u32(config, VirtioBlkConfig.MAX_DISCARD_SECTORS) : 0,
                discard ? VirtioBlkConfig.u32(config, VirtioBlkConfig.MAX_DISCARD_SEG) : 0,
                discard ? VirtioBlkConfig.u32(config, VirtioBlkConfig.DISCARD_SECTOR_ALIGNMENT) : 0,
                writeZeroes ? VirtioBlkConfig.u32(config, VirtioBlkConfig.MAX_WRITE_ZEROES_SECTORS) : 0,
                writeZeroes ? VirtioBlkConfig.u32(config, VirtioBlkConfig.MAX_WRITE_ZEROES_SEG) : 0,
                writeZeroes && VirtioBlkConfig.u8(config, VirtioBlkConfig.WRITE_ZEROES_MAY_UNMAP) != 0);
    }

    /** Size of the disk in bytes. */
    public long capacityBytes() {
        return capacitySectors * BlkRequest.SECTOR_BYTES;
    }
}
