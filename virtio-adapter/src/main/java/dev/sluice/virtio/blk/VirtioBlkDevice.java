package dev.sluice.virtio.blk;

import dev.sluice.pipeline.BlockGeometry;
import dev.sluice.virtio.layout.VhostUser;
import dev.sluice.virtio.layout.VirtioBlkConfig;
import dev.sluice.virtio.layout.VirtioBlkRequestHeader;
import dev.sluice.virtio.layout.VirtioFeatures;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * What one disk offers its driver and the driver has set: features, configuration space, cache mode, whether it needs a reset.
 *
 * <p><b>Threading:</b> the control thread changes it; loops read {@link #accepted}, {@link #writeThrough} and the limits.
 * <b>Failure:</b> {@code IllegalArgumentException} for what a driver must not ask; the message names the bits or the bytes. {@link #writeConfig} throws
 * {@code IOException} where the cache mode cannot be made to outlive this process; the disk is then as durable as before or more so.
 * <b>Allocation:</b> none on the data path. Source: VIRTIO 1.3 §5.2.3, §5.2.4.
 */
public final class VirtioBlkDevice {
    /** The most that one request moves: a result is an int, and Linux moves no more in one call (read(2), NOTES). */
    public static final long MAX_REQUEST_BYTES = 0x7FFF_F000L;

    /**
     * Data segments of one request that are served, whatever seg_max says: as many as Linux moves in one call. Windows' viostor exceeds {@code seg_max}.
     */
    public static final int MAX_SEGMENTS = 1024;

    /** Most bytes of a serial: what GET_ID has room for. */
    public static final int SERIAL_BYTES = VirtioBlkRequestHeader.ID_BYTES;

    private static final int SECTOR_BYTES = 512;

    private static final int WRITEBACK_BYTES = 1;

    private final Supplier<BlockGeometry> geometry;
    private final int numQueues;
    private final int segMax;
    private final CacheMode cacheMode;
    private final byte[] id;
    private final long offered;
    private final long maxRangeSectors;

    private volatile long accepted;
    /** The cache mode that the guest sees, and that outlives this process. */
    private volatile boolean writeback;
    /** The guest has asked for write-through and was refused as that could not be saved; it may believe in it all the same. */
    private boolean refusedWriteThrough;
    /** What follows for requests; kept in one field as each of them asks. */
    private volatile boolean writeThrough = true;
    private volatile boolean needsReset;
    private @Nullable DiskStateFile stateFile;

    /** Describes a disk whose cache mode is the guest's choice for as long as this object lives. */
    public VirtioBlkDevice(Supplier<BlockGeometry> geometry, int numQueues, int segMax) {
        this(geometry, numQueues, segMax, CacheMode.GUEST, "");
    }

    /**
     * Describes a disk. What its geometry says of features and blocks is taken now, as drivers are bound to it; its size is asked for whenever the
     * configuration space is read and a request is parsed.
     *
     * @param geometry allocates nothing unless the geometry has changed
     * @param segMax data segments of one request that drivers are to keep to; {@link #MAX_SEGMENTS} are served
     * @param serial what GET_ID returns, in UTF-8
     * @throws IllegalArgumentException if the serial has more than {@link #SERIAL_BYTES} bytes
     */
    public VirtioBlkDevice(Supplier<BlockGeometry> geometry, int numQueues, int segMax, CacheMode cacheMode, String serial) {
        this.geometry = geometry;
        this.numQueues = numQueues;
        this.segMax = segMax;
        this.cacheMode = cacheMode;
        this.id = id(serial);
        BlockGeometry first = geometry.get();
        this.offered = features(first, numQueues, cacheMode);
        this.writeback = cacheMode != CacheMode.WRITETHROUGH;
        long blockSectors = first.logicalBlockBytes() / SECTOR_BYTES;
        this.maxRangeSectors = MAX_REQUEST_BYTES / SECTOR_BYTES / blockSectors * blockSectors;
    }

    /**
     * What GET_ID returns for a serial.
     *
     * @throws IllegalArgumentException if it has more than {@link #SERIAL_BYTES} bytes of UTF-8
     */
    public static byte[] id(String serial) {
        byte[] bytes = serial.getBytes(StandardCharsets.UTF_8);
        if (bytes.length > SERIAL_BYTES) {
            throw new IllegalArgumentException("serial '" + serial + "' has " + bytes.length + " bytes; the maximum is " + SERIAL_BYTES);
        }
        return Arrays.copyOf(bytes, SERIAL_BYTES);
    }

    private static long features(BlockGeometry geometry, int numQueues, CacheMode cacheMode) {
        return VirtioFeatures.VERSION_1
                | VirtioFeatures.INDIRECT_DESC
                | VirtioFeatures.EVENT_IDX
                | VirtioFeatures.BLK_SEG_MAX
                | VirtioFeatures.BLK_BLK_SIZE
                | VirtioFeatures.BLK_TOPOLOGY
                | (cacheMode == CacheMode.WRITETHROUGH ? 0 : VirtioFeatures.BLK_FLUSH)
                | (cacheMode == CacheMode.GUEST ? VirtioFeatures.BLK_CONFIG_WCE : 0)
                | (numQueues > 1 ? VirtioFeatures.BLK_MQ : 0)
                | (geometry.readOnly() ? VirtioFeatures.BLK_RO : 0)
                | (geometry.discard() && !geometry.readOnly() ? VirtioFeatures.BLK_DISCARD : 0)
                | (geometry.writeZeroes() && !geometry.readOnly() ? VirtioFeatures.BLK_WRITE_ZEROES : 0);
    }

    /** As it is now. Any thread. */
    public BlockGeometry geometry() {
        return geometry.get();
    }

    public int numQueues() {
        return numQueues;
    }

    public int segMax() {
        return segMax;
    }

    /** What GET_ID returns: the serial with NULs behind it. Not to be changed. */
    byte[] id() {
        return id;
    }

    // ---- features

    /** Bits of the device and of its rings; a transport adds its own, such as VHOST_USER_F_PROTOCOL_FEATURES. */
    public long offered() {
        return offered;
    }

    /** The bits that both sides know. */
    public long accepted() {
        return accepted;
    }

    public boolean accepted(long feature) {
        return (accepted & feature) != 0;
    }

    /**
     * The driver's choice.
     *
     * @throws IllegalArgumentException where it takes what was not offered
     */
    public void accept(long features) {
        // A guest that runs on while the mode was fixed under it has what it was offered before, and a front end that reconnects repeats that.
        long taken = features & ~(cacheMode == CacheMode.GUEST ? offered : offered | VirtioFeatures.BLK_FLUSH | VirtioFeatures.BLK_CONFIG_WCE);
        if (taken != 0) {
            throw new IllegalArgumentException("VIRTIO 1.3 §2.2.1: driver accepts features 0x" + Long.toHexString(taken) + " that were not offered");
        }
        accepted = features;
        settleWriteThrough();
    }

    // ---- cache mode

    /** True where writes must be on stable storage when they complete. */
    public boolean writeThrough() {
        return writeThrough;
    }

    /** Takes up the cache mode that the guest has set last, and keeps it there from now on; only where the mode is its choice. Before a driver comes. */
    public void keepCacheModeIn(DiskStateFile file) {
        if (cacheMode == CacheMode.GUEST) {
            stateFile = file;
            writeback = file.writeback();
            settleWriteThrough();
        }
    }

    private void settleWriteThrough() {
        // With a fixed writeback CONFIG_WCE says that the guest was started when it had the choice: it may have turned the cache off and not flush.
        boolean mayNotFlush = cacheMode == CacheMode.WRITEBACK && accepted(VirtioFeatures.BLK_CONFIG_WCE);
        writeThrough = !writeback || refusedWriteThrough || mayNotFlush || !accepted(VirtioFeatures.BLK_FLUSH);
    }

    /**
     * Back to what a driver finds first: nothing accepted. The cache mode stays: after a lost connection a front end does not say
     * again that its guest has turned the cache off, and the guest relies on it (VIRTIO 1.3 §5.2.5: after a reset it "can be either").
     */
    public void reset() {
        accepted = 0;
        needsReset = false;
        settleWriteThrough();
    }

    /** A queue is broken; the driver has to start over. */
    public boolean needsReset() {
        return needsReset;
    }

    void needReset() {
        needsReset = true;
    }

    // ---- limits of requests

    /** Most sectors that one discard or write zeroes may name. */
    long maxRangeSectors() {
        return maxRangeSectors;
    }

    // ---- configuration space

    /**
     * Copies a part of the configuration space, which is zero behind its structure: SPDK's initiator asks for all 256 bytes that a message can carry.
     *
     * @throws IllegalArgumentException where the part is not within it
     */
    public void readConfig(int offset, int bytes, MemorySegment target, long targetOffset) {
        if (offset < 0 || bytes < 0 || offset > VhostUser.CONFIG_MAX_PAYLOAD - bytes) {
            throw new IllegalArgumentException(
                    "configuration space has " + VhostUser.CONFIG_MAX_PAYLOAD + " bytes; " + bytes + " at " + offset + " are not in it");
        }
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment config = arena.allocate(VhostUser.CONFIG_MAX_PAYLOAD);
            fill(config);
            MemorySegment.copy(config, offset, target, targetOffset, bytes);
        }
    }

    private void fill(MemorySegment config) {
        BlockGeometry now = geometry.get();
        int block = now.logicalBlockBytes();
        VirtioBlkConfig.u64(config, VirtioBlkConfig.CAPACITY, now.sectors());
        VirtioBlkConfig.u32(config, VirtioBlkConfig.SEG_MAX, segMax);
        VirtioBlkConfig.u32(config, VirtioBlkConfig.BLK_SIZE, block);
        VirtioBlkConfig.u8(config, VirtioBlkConfig.PHYSICAL_BLOCK_EXP, Integer.numberOfTrailingZeros(now.physicalBlockBytes() / block));
        VirtioBlkConfig.u16(config, VirtioBlkConfig.MIN_IO_SIZE, Math.min(0xFFFF, now.physicalBlockBytes() / block));
        VirtioBlkConfig.u32(config, VirtioBlkConfig.OPT_IO_SIZE, now.optimalIoBytes() / block);
        // VIRTIO 1.3 §5.2.5.2: with CONFIG_WCE and without FLUSH writeback is 0.
        boolean neverFlushed = accepted(VirtioFeatures.BLK_CONFIG_WCE) && !accepted(VirtioFeatures.BLK_FLUSH);
        VirtioBlkConfig.u8(config, VirtioBlkConfig.WRITEBACK, writeback && !neverFlushed ? 1 : 0);
        VirtioBlkConfig.u16(config, VirtioBlkConfig.NUM_QUEUES, numQueues);
        if ((offered & VirtioFeatures.BLK_DISCARD) != 0) {
            VirtioBlkConfig.u32(config, VirtioBlkConfig.MAX_DISCARD_SECTORS, maxRangeSectors);
            VirtioBlkConfig.u32(config, VirtioBlkConfig.MAX_DISCARD_SEG, 1);
            VirtioBlkConfig.u32(config, VirtioBlkConfig.DISCARD_SECTOR_ALIGNMENT, block / SECTOR_BYTES);
        }
        if ((offered & VirtioFeatures.BLK_WRITE_ZEROES) != 0) {
            VirtioBlkConfig.u32(config, VirtioBlkConfig.MAX_WRITE_ZEROES_SECTORS, maxRangeSectors);
            VirtioBlkConfig.u32(config, VirtioBlkConfig.MAX_WRITE_ZEROES_SEG, 1);
            VirtioBlkConfig.u8(config, VirtioBlkConfig.WRITE_ZEROES_MAY_UNMAP, now.discard() ? 1 : 0);
        }
    }

    /**
     * The driver writes to the configuration space: one byte of it, the cache mode. When this returns the mode outlives this process, where there is a
     * {@linkplain #keepCacheModeIn state file}.
     *
     * @throws IllegalArgumentException for any other byte or value, and where the mode is fixed
     * @throws IOException where the mode cannot be saved. The guest sees the old one then; asked for write-through the disk is so all the same
     */
    public void writeConfig(int offset, MemorySegment source, long sourceOffset, int bytes) throws IOException {
        if (offset != VirtioBlkConfig.WRITEBACK || bytes != WRITEBACK_BYTES) {
            throw new IllegalArgumentException(
                    "only the writeback byte at " + VirtioBlkConfig.WRITEBACK + " can be written, not " + bytes + " bytes at " + offset);
        }
        int value = VirtioBlkConfig.u8(source, (int) sourceOffset);
        if (value > 1) {
            throw new IllegalArgumentException("VIRTIO 1.3 §5.2.6: writeback is 0 or 1, not " + value);
        }
        if (cacheMode != CacheMode.GUEST) {
            throw new IllegalArgumentException(
                    "the cache mode of this disk is fixed to " + cacheMode + ": serve it with --cache guest for the guest to choose");
        }
        setWriteback(value == 1);
    }

    private void setWriteback(boolean wanted) throws IOException {
        if (!wanted) {
            // Whatever becomes of the file.
            refusedWriteThrough = true;
            settleWriteThrough();
        }
        DiskStateFile file = stateFile;
        if (file != null) {
            try {
                file.save(wanted);
            } catch (IOException failed) {
                if (!writeback) {
                    // The guest continues without flushing: the next process must not find writeback because only the last step failed.
                    file.trySave(false);
                }
                throw failed;
            }
        }
        writeback = wanted;
        refusedWriteThrough = false;
        settleWriteThrough();
    }
}
