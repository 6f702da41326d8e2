package dev.sluice.virtio.blk;

import dev.sluice.linux.Errno;
import dev.sluice.linux.Iovec;
import dev.sluice.linux.NativeMemory;
import dev.sluice.pipeline.BlockGeometry;
import dev.sluice.pipeline.BlockOp;
import dev.sluice.pipeline.BlockRequest;
import dev.sluice.pipeline.BlockStatus;
import dev.sluice.virtio.layout.HostMemory;
import dev.sluice.virtio.layout.VirtioBlkDiscardSegment;
import dev.sluice.virtio.layout.VirtioBlkRequestHeader;
import dev.sluice.virtio.layout.VirtioFeatures;
import dev.sluice.virtio.queue.DescriptorChain;
import dev.sluice.virtio.queue.MemoryRegion;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.jspecify.annotations.Nullable;

/**
 * A request of the queue's pool, borrowed for a chain: {@link #parse} makes it from a chain, {@link #writeStatus} is the mirror.
 *
 * <pre>
 * header   the first 16 readable bytes, however split
 * data     readable bytes behind it (WRITE, DISCARD, WRITE_ZEROES) or writable bytes (READ, and GET_ID, which the device completes)
 * status   the last writable byte
 * </pre>
 *
 * <p><b>Threading:</b> the queue's loop. <b>Ownership:</b> its {@link VirtioBlkQueue}'s, borrowed as in {@link BlockRequest}.
 * <b>Failure:</b> what is wrong with a request is its status. <b>Allocation:</b> none. Source: VIRTIO 1.3 §5.2.6.
 */
public final class VirtioBlkRequest extends BlockRequest {
    /** What {@link #parse} made of a chain. */
    enum Outcome {
        /** A request in state PARSED. */
        REQUEST,
        /** Nothing to do for anybody else: status and length of the completion stand. */
        COMPLETED,
        /** No iovecs left: nothing has changed, the chain is to be parsed again later. */
        NO_ROOM
    }

    private static final int HEADER_BYTES = VirtioBlkRequestHeader.SIZE;
    private static final int STATUS_BYTES = 1;
    private static final long NO_STATUS = 0;
    private static final String TOO_MANY_SEGMENTS = "VIRTIO 1.3 §5.2.4: more data segments than seg_max, and than the 1024 that are served all the same";

    private final VirtioBlkQueue queue;
    private final RequestIovecs iovecs;

    /** Whose it is from being taken to being published. */
    private int chainId;

    // Where the status goes, NO_STATUS if nowhere, and what it is.
    private long statusAddress;
    private byte status;
    private int writtenBytes;

    // What was gathered while parsing.
    private @Nullable String brokenRule;
    private @Nullable BlockOp completedOp;
    private int completedErrno;

    VirtioBlkRequest(VirtioBlkQueue queue, RequestIovecs iovecs, int slot) {
        super(queue.loop(), queue.index(), slot);
        this.queue = queue;
        this.iovecs = iovecs;
    }

    int chainId() {
        return chainId;
    }

    void setChainId(int chainId) {
        this.chainId = chainId;
    }

    /** The rule that the chain broke, or null; for {@link Outcome#COMPLETED}. */
    @Nullable
    String brokenRule() {
        return brokenRule;
    }

    /** What it asked for, where that is known and no rule was broken; for {@link Outcome#COMPLETED}. */
    @Nullable
    BlockOp completedOp() {
        return completedOp;
    }

    /** 0, or the positive errno that stands for what was wrong; where there is an {@link #completedOp}. */
    int completedErrno() {
        return completedErrno;
    }

    // ---- the way in

    /** Makes this request of a chain that was fetched. */
    Outcome parse(DescriptorChain chain, VirtioBlkDevice device) {
        brokenRule = chain.brokenRule();
        completedOp = null;
        statusAddress = NO_STATUS;
        writtenBytes = 0;
        // VIRTIO 1.3 §5.2.6: the final status byte is written by the device. Where it cannot be found, the head is completed with length 0.
        if (chain.unterminated()) {
            return Outcome.COMPLETED;
        }
        if (chain.writableBytes() == 0) {
            return malformed("VIRTIO 1.3 §5.2.6: no writable byte for the status");
        }
        MemoryRegion region = chain.regionOf(chain.lastWritableByte());
        if (region == null) {
            return malformed("status byte is outside the guest's memory");
        }
        statusAddress = region.hostAddressOf(chain.lastWritableByte());
        if (brokenRule != null) {
            return completeAtOnce(BlockStatus.IOERR);
        }
        if (chain.readableBytes() < HEADER_BYTES) {
            return malformed("VIRTIO 1.3 §5.2.6: fewer than 16 readable bytes for the header");
        }
        if (chain.tooManyBuffers()) {
            return malformed(TOO_MANY_SEGMENTS);
        }
        return parseHeader(chain, device);
    }

    private Outcome parseHeader(DescriptorChain chain, VirtioBlkDevice device) {
        MemoryRegion region = chain.regionOf(chain.address(0));
        int type;
        long sector;
        if (region != null && chain.length(0) >= HEADER_BYTES && region.bytesFrom(chain.address(0)) >= HEADER_BYTES) {
            long address = region.hostAddressOf(chain.address(0));
            type = VirtioBlkRequestHeader.type(HostMemory.HOST, address);
            sector = VirtioBlkRequestHeader.sector(HostMemory.HOST, address);
        } else {
            MemorySegment header = queue.scratch();
            if (!gather(chain, 0, header, HEADER_BYTES)) {
                return malformed("header is outside the guest's memory");
            }
            type = VirtioBlkRequestHeader.type(header, 0);
            sector = VirtioBlkRequestHeader.sector(header, 0);
        }
        if (type == VirtioBlkRequestHeader.T_GET_ID) {
            return writeId(chain, device);
        }
        BlockOp op = operation(type);
        if (op == null) {
            return completeAtOnce(BlockStatus.UNSUPP);
        }
        BlockGeometry geometry = device.geometry();
        if (op.modifies() && geometry.readOnly()) {
            return completeAtOnce(op, Errno.EROFS);
        }
        return switch (op) {
            case READ -> parseTransfer(op, chain, device, geometry, sector, chain.writableBytes() - STATUS_BYTES);
            case WRITE -> parseTransfer(op, chain, device, geometry, sector, chain.readableBytes() - HEADER_BYTES);
            case FLUSH -> request(op, 0, 0, 0, 0);
            case DISCARD, WRITE_ZEROES -> parseRange(op, chain, device, geometry);
        };
    }

    /** What a type of {@code struct virtio_blk_req} asks the disk for, or null. */
    private static @Nullable BlockOp operation(int type) {
        return switch (type) {
            case VirtioBlkRequestHeader.T_IN -> BlockOp.READ;
            case VirtioBlkRequestHeader.T_OUT -> BlockOp.WRITE;
            case VirtioBlkRequestHeader.T_FLUSH -> BlockOp.FLUSH;
            case VirtioBlkRequestHeader.T_DISCARD -> BlockOp.DISCARD;
            case VirtioBlkRequestHeader.T_WRITE_ZEROES -> BlockOp.WRITE_ZEROES;
            default -> null;
        };
    }

    private Outcome parseTransfer(BlockOp op, DescriptorChain chain, VirtioBlkDevice device, BlockGeometry geometry, long sector, long lengthBytes) {
        if (lengthBytes % SECTOR_BYTES != 0
                || lengthBytes > VirtioBlkDevice.MAX_REQUEST_BYTES
                || !geometry.containsSectors(sector, lengthBytes / SECTOR_BYTES)) {
            return completeAtOnce(op, Errno.EINVAL);
        }
        if (lengthBytes == 0) {
            return completeAtOnce(op, 0);
        }
        Outcome gathered = op == BlockOp.READ ? gatherWritable(chain, lengthBytes) : gatherReadable(chain, lengthBytes);
        if (gathered != Outcome.REQUEST) {
            return gathered;
        }
        Outcome parsed = request(op, sector, lengthBytes, iovecs.address(), iovecs.count());
        setDurable(op == BlockOp.WRITE && device.writeThrough());
        return parsed;
    }

    /** GET_ID asks for something that the device knows: it is completed here. */
    private Outcome writeId(DescriptorChain chain, VirtioBlkDevice device) {
        long lengthBytes = Math.min(VirtioBlkRequestHeader.ID_BYTES, chain.writableBytes() - STATUS_BYTES);
        Outcome gathered = gatherWritable(chain, lengthBytes);
        if (gathered != Outcome.REQUEST) {
            return gathered;
        }
        int written = 0;
        for (int i = 0; i < iovecs.count(); i++) {
            int bytes = (int) Iovec.length(iovecs.address(), i);
            NativeMemory.copyFromArray(device.id(), written, Iovec.base(iovecs.address(), i), bytes);
            written += bytes;
        }
        queue.writes().dataWritten(iovecs.address(), iovecs.count());
        iovecs.release();
        Outcome outcome = completeAtOnce(BlockStatus.OK);
        writtenBytes += written;
        return outcome;
    }

    private Outcome parseRange(BlockOp op, DescriptorChain chain, VirtioBlkDevice device, BlockGeometry geometry) {
        // VIRTIO 1.3 §5.2.6: a request of a feature that was not negotiated is one that the device does not know.
        boolean supported = device.accepted(op == BlockOp.DISCARD ? VirtioFeatures.BLK_DISCARD : VirtioFeatures.BLK_WRITE_ZEROES);
        long segmentBytes = chain.readableBytes() - HEADER_BYTES;
        if (!supported || segmentBytes > VirtioBlkDiscardSegment.SIZE) {
            // VIRTIO 1.3 §5.2.6.2: more segments than max_discard_seg (1 here) is UNSUPP.
            return completeAtOnce(op, Errno.EOPNOTSUPP);
        }
        if (segmentBytes != VirtioBlkDiscardSegment.SIZE) {
            return completeAtOnce(op, Errno.EINVAL);
        }
        MemorySegment segment = queue.scratch();
        if (!gather(chain, HEADER_BYTES, segment, VirtioBlkDiscardSegment.SIZE)) {
            return malformed("segment of a discard or write zeroes is outside the guest's memory");
        }
        long sector = VirtioBlkDiscardSegment.sector(segment, 0);
        long sectors = VirtioBlkDiscardSegment.numSectors(segment, 0);
        int flags = VirtioBlkDiscardSegment.flags(segment, 0);
        // VIRTIO 1.3 §5.2.6.2: unknown flags, and unmap in a discard, are UNSUPP.
        int known = op == BlockOp.WRITE_ZEROES ? VirtioBlkDiscardSegment.F_UNMAP : 0;
        if ((flags & ~known) != 0) {
            return completeAtOnce(op, Errno.EOPNOTSUPP);
        }
        if (sectors > device.maxRangeSectors() || !geometry.containsSectors(sector, sectors)) {
            return completeAtOnce(op, Errno.EINVAL);
        }
        if (sectors == 0) {
            return completeAtOnce(op, 0);
        }
        Outcome parsed = request(op, sector, sectors * SECTOR_BYTES, 0, 0);
        setDurable(device.writeThrough());
        setMayUnmap((flags & VirtioBlkDiscardSegment.F_UNMAP) != 0);
        return parsed;
    }

    private Outcome request(BlockOp op, long sector, long lengthBytes, long dataIovecs, int dataIovecCount) {
        parsed(op, sector, lengthBytes, dataIovecs, dataIovecCount);
        return Outcome.REQUEST;
    }

    // ---- gathering

    /** Copies readable bytes from {@code skip} on, however split; false where some lie outside memory. */
    private static boolean gather(DescriptorChain chain, int skip, MemorySegment target, int bytes) {
        int copied = 0;
        long skipped = 0;
        for (int i = 0; i < chain.readableCount(); i++) {
            long length = chain.length(i);
            long first = Math.min(length, skip - skipped);
            skipped += first;
            for (long at = first; at < length && copied < bytes; at++) {
                MemoryRegion region = chain.regionOf(chain.address(i) + at);
                if (region == null) {
                    return false;
                }
                // Not a view's plain load: see NativeMemory. The region has this byte.
                byte value = NativeMemory.getByte(region.hostAddressOf(chain.address(i) + at));
                target.set(ValueLayout.JAVA_BYTE, copied, value);
                copied++;
            }
        }
        return copied == bytes;
    }

    /** The data of a request, as iovecs. */
    private Outcome gatherData(DescriptorChain chain, int firstBuffer, long skipBytes, long lengthBytes) {
        return switch (iovecs.gather(chain, firstBuffer, skipBytes, lengthBytes)) {
            case ALL -> Outcome.REQUEST;
            case NO_ROOM -> Outcome.NO_ROOM;
            case OUTSIDE_MEMORY -> malformed("data buffer is outside the guest's memory");
            case TOO_MANY_SEGMENTS -> malformed(TOO_MANY_SEGMENTS);
            case TOO_MANY_REGIONS -> malformed("data buffers are split over too many memory regions");
        };
    }

    private Outcome gatherReadable(DescriptorChain chain, long lengthBytes) {
        return gatherData(chain, 0, HEADER_BYTES, lengthBytes);
    }

    private Outcome gatherWritable(DescriptorChain chain, long lengthBytes) {
        return gatherData(chain, chain.readableCount(), 0, lengthBytes);
    }

    @Override
    protected void surfaceFault() {
        NativeMemory.surfaceFault();
    }

    // ---- the way out

    private Outcome malformed(String rule) {
        brokenRule = rule;
        return completeAtOnce(BlockStatus.IOERR);
    }

    /** The completion of a good request for which there is nothing to do, or for what cannot be done. */
    private Outcome completeAtOnce(BlockOp op, int errno) {
        completedOp = op;
        completedErrno = errno;
        return completeAtOnce(BlockStatus.ofResult(-errno));
    }

    /** The completion of a request that nobody else sees. */
    private Outcome completeAtOnce(BlockStatus wanted) {
        if (statusAddress != NO_STATUS) {
            status = wanted.wireValue();
            writtenBytes = STATUS_BYTES;
        }
        return Outcome.COMPLETED;
    }

    @Override
    protected void completed(int result) {
        status = BlockStatus.ofResult(result).wireValue();
        boolean writesData = op() == BlockOp.READ;
        if (writesData) {
            // Whatever the result: a part may have been stored before it failed.
            queue.writes().dataWritten(iovecsAddress(), iovecCount());
        }
        boolean dataWritten = result >= 0 && writesData;
        // VIRTIO 1.3 §2.7.8: len is what was written to the chain, the status byte included.
        writtenBytes = (dataWritten ? (int) lengthBytes() : 0) + STATUS_BYTES;
        iovecs.release();
        queue.ended(this);
    }

    /** Nobody waits for the completion any more. */
    void abandonIfOut() {
        if (state() != State.FREE) {
            abandon();
        }
    }

    /** Undoes {@link #parse} where a fault of the memory came out before anybody saw the request. */
    void takeBack() {
        iovecs.release();
        if (state() == State.PARSED) {
            queue.neverSeen(this);
        }
    }

    /** Writes the status byte, where there is one; returns the length for the used element. */
    int writeStatus() {
        long address = statusAddress;
        if (address != NO_STATUS) {
            NativeMemory.putByte(address, status);
            queue.writes().written(address, STATUS_BYTES);
            statusAddress = NO_STATUS;
        }
        return writtenBytes;
    }
}
