package dev.sluice.pipeline.testing;

import dev.sluice.linux.Iovec;
import dev.sluice.linux.NativeBlock;
import dev.sluice.linux.NativeMemory;
import dev.sluice.pipeline.BlockGeometry;
import dev.sluice.pipeline.BlockOp;
import dev.sluice.pipeline.BlockRequest;
import dev.sluice.pipeline.Errno;
import java.lang.foreign.MemorySegment;
import java.util.BitSet;

/**
 * The images of a {@link SimulatedBackend} and what requests do to them.
 *
 * <p><b>Threading:</b> any loop; requests of different loops that overlap give what they give on a real disk. <b>Ownership:</b> the images are
 * freed by {@link #close}. <b>Allocation:</b> none per request.
 */
final class SimulatedDisk implements AutoCloseable {
    private static final int SECTOR_BYTES = BlockRequest.SECTOR_BYTES;
    private static final int ALIGNMENT = 4096;

    private final BlockGeometry geometry;
    private final NativeBlock visible;
    private final NativeBlock durable;
    private final BitSet dirtySectors = new BitSet();

    SimulatedDisk(BlockGeometry geometry) {
        this.geometry = geometry;
        visible = NativeMemory.allocate(geometry.sizeBytes(), ALIGNMENT);
        durable = NativeMemory.allocate(geometry.sizeBytes(), ALIGNMENT);
    }

    MemorySegment visible() {
        return visible.segment();
    }

    MemorySegment durable() {
        return durable.segment();
    }

    @Override
    public void close() {
        visible.close();
        durable.close();
    }

    /** The errno of a request that this disk refuses whatever happens, or 0. */
    int refusal(BlockRequest request) {
        if (request.op().modifies() && geometry.readOnly()) {
            return Errno.EROFS;
        }
        if (request.offsetBytes() + request.lengthBytes() > geometry.sizeBytes() && request.op() != BlockOp.GET_ID) {
            return Errno.EINVAL;
        }
        return switch (request.op()) {
            case READ, WRITE, FLUSH -> 0;
            case DISCARD -> geometry.discard() ? 0 : Errno.EOPNOTSUPP;
            case WRITE_ZEROES -> geometry.writeZeroes() ? 0 : Errno.EOPNOTSUPP;
            case GET_ID -> Errno.EOPNOTSUPP;
        };
    }

    /** Does what a request asks for; returns its result. */
    int perform(BlockRequest request) {
        int result = switch (request.op()) {
            case READ, WRITE -> transfer(request, request.lengthBytes());
            case DISCARD, WRITE_ZEROES -> zero(request);
            case FLUSH, GET_ID -> 0;
        };
        if (request.op() == BlockOp.FLUSH || request.durable()) {
            makeDurable();
        }
        return result;
    }

    /** Moves the first bytes of a READ or WRITE; returns how many. */
    int transfer(BlockRequest request, long bytes) {
        long image = visible.address() + request.offsetBytes();
        long moved = 0;
        for (int i = 0; i < request.iovecCount() && moved < bytes; i++) {
            long base = Iovec.base(request.iovecsAddress(), i);
            long length = Math.min(Iovec.length(request.iovecsAddress(), i), bytes - moved);
            if (request.op() == BlockOp.READ) {
                NativeMemory.copy(image + moved, base, length);
            } else {
                NativeMemory.copy(base, image + moved, length);
            }
            moved += length;
        }
        if (request.op() == BlockOp.WRITE && moved > 0) {
            dirty(request.offsetBytes(), moved);
        }
        return Math.toIntExact(moved);
    }

    private int zero(BlockRequest request) {
        NativeMemory.fill(visible.address() + request.offsetBytes(), request.lengthBytes(), (byte) 0);
        if (request.lengthBytes() > 0) {
            dirty(request.offsetBytes(), request.lengthBytes());
        }
        return 0;
    }

    private synchronized void dirty(long offsetBytes, long lengthBytes) {
        dirtySectors.set(Math.toIntExact(offsetBytes / SECTOR_BYTES), Math.toIntExact((offsetBytes + lengthBytes + SECTOR_BYTES - 1) / SECTOR_BYTES));
    }

    private synchronized void makeDurable() {
        for (int sector = dirtySectors.nextSetBit(0); sector >= 0; sector = dirtySectors.nextSetBit(sector + 1)) {
            long at = (long) sector * SECTOR_BYTES;
            NativeMemory.copy(visible.address() + at, durable.address() + at, SECTOR_BYTES);
        }
        dirtySectors.clear();
    }
}
