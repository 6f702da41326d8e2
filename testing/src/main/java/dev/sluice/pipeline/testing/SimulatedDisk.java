package dev.sluice.pipeline.testing;

import dev.sluice.linux.Errno;
import dev.sluice.linux.Iovec;
import dev.sluice.linux.NativeBlock;
import dev.sluice.linux.NativeMemory;
import dev.sluice.pipeline.BlockGeometry;
import dev.sluice.pipeline.BlockOp;
import dev.sluice.pipeline.BlockRequest;
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
    private final SystemCallFaults calls;
    private volatile boolean writebackFailed;

    SimulatedDisk(BlockGeometry geometry, SystemCallFaults calls) {
        this.geometry = geometry;
        this.calls = calls;
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
        if (writebackFailed && (request.op() == BlockOp.FLUSH || (request.durable() && request.op().modifies()))) {
            return Errno.EIO;
        }
        if (request.offsetBytes() + request.lengthBytes() > geometry.sizeBytes()) {
            return Errno.EINVAL;
        }
        return switch (request.op()) {
            case READ, WRITE, FLUSH -> 0;
            case DISCARD -> geometry.discard() ? 0 : Errno.EOPNOTSUPP;
            case WRITE_ZEROES -> geometry.writeZeroes() ? 0 : Errno.EOPNOTSUPP;
        };
    }

    /**
     * Makes one "system call" for a request.
     *
     * @param doneBytes what earlier calls have moved of a READ or WRITE
     * @return what the call gave: bytes moved, zero, or a negative errno
     */
    int call(BlockRequest request, long doneBytes) {
        return switch (request.op()) {
            case READ -> calls.result(SystemCallFaults.Call.READ, transfer(request, doneBytes, request.lengthBytes()));
            case WRITE -> synced(request, calls.result(SystemCallFaults.Call.WRITE, transfer(request, doneBytes, request.lengthBytes())));
            case FLUSH -> sync();
            case DISCARD -> {
                int result = calls.result(SystemCallFaults.Call.ALLOCATE, 0);
                yield result < 0 ? result : synced(request, zero(request));
            }
            case WRITE_ZEROES -> {
                int result = calls.result(SystemCallFaults.Call.ALLOCATE, 0);
                yield result < 0 && result != -Errno.EOPNOTSUPP ? result : synced(request, zero(request));
            }
        };
    }

    private int synced(BlockRequest request, int result) {
        if (result < 0 || !request.durable()) {
            return result;
        }
        if (writebackFailed) {
            return -Errno.EIO;
        }
        makeDurable();
        return result;
    }

    private int sync() {
        int result = calls.result(SystemCallFaults.Call.SYNC, 0);
        if (result == 0) {
            if (writebackFailed) {
                return -Errno.EIO;
            }
            makeDurable();
        } else if (result != -Errno.EAGAIN && result != -Errno.EINTR && result != -Errno.EINVAL) {
            writebackFailed = true;
        }
        return result;
    }

    /** Whether a sync has failed, after which no other one succeeds. */
    boolean writebackFailed() {
        return writebackFailed;
    }

    /** Moves the bytes of a READ or WRITE between two places of its data; returns how many. */
    int transfer(BlockRequest request, long from, long to) {
        long image = visible.address() + request.offsetBytes();
        long at = 0;
        for (int i = 0; i < request.iovecCount() && at < to; i++) {
            long length = Iovec.length(request.iovecsAddress(), i);
            long first = Math.max(at, from);
            long part = Math.min(at + length, to) - first;
            if (part > 0) {
                long memory = Iovec.base(request.iovecsAddress(), i) + first - at;
                NativeMemory.copy(request.op() == BlockOp.READ ? image + first : memory, request.op() == BlockOp.READ ? memory : image + first, part);
            }
            at += length;
        }
        if (request.op() == BlockOp.WRITE && to > from) {
            dirty(request.offsetBytes() + from, to - from);
        }
        return Math.toIntExact(Math.max(0, to - from));
    }

    private int zero(BlockRequest request) {
        NativeMemory.fill(visible.address() + request.offsetBytes(), request.lengthBytes(), (byte) 0);
        if (request.lengthBytes() > 0) {
            dirty(request.offsetBytes(), request.lengthBytes());
        }
        return 0;
    }

    private synchronized void dirty(long offsetBytes, long lengthBytes) {
        dirtySectors.set(Math.toIntExact(offsetBytes / SECTOR_BYTES),
                Math.toIntExact((offsetBytes + lengthBytes + SECTOR_BYTES - 1) / SECTOR_BYTES));
    }

    private synchronized void makeDurable() {
        for (int sector = dirtySectors.nextSetBit(0); sector >= 0; sector = dirtySectors.nextSetBit(sector + 1)) {
            long at = (long) sector * SECTOR_BYTES;
            NativeMemory.copy(visible.address() + at, durable.address() + at, SECTOR_BYTES);
        }
        dirtySectors.clear();
    }
}
