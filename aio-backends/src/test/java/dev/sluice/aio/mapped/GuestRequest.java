package dev.sluice.aio.mapped;

import dev.sluice.linux.Iovec;
import dev.sluice.linux.NativeBlock;
import dev.sluice.linux.NativeMemory;
import dev.sluice.pipeline.BlockOp;
import dev.sluice.pipeline.BlockRequest;
import dev.sluice.pipeline.IoLoop;

/** A request on memory of the test's, as often as it is parsed. */
class GuestRequest extends BlockRequest implements AutoCloseable {
    private final NativeBlock iovecs;
    private final int segments;
    private final long bytes;
    int completions;

    /** Segments of one length, one behind the other; the last may be shorter. */
    GuestRequest(IoLoop loop, long address, long bytes, long segmentBytes) {
        super(loop, 0, 0);
        this.bytes = bytes;
        this.segments = (int) ((bytes + segmentBytes - 1) / segmentBytes);
        this.iovecs = NativeMemory.allocate((long) Iovec.SIZE * Math.max(1, segments), Long.BYTES);
        for (int i = 0; i < segments; i++) {
            Iovec.set(iovecs.address(), i, address + i * segmentBytes, Math.min(segmentBytes, bytes - i * segmentBytes));
        }
    }

    /** Begins another life. */
    GuestRequest as(BlockOp op, long offsetBytes) {
        return as(op, offsetBytes, bytes);
    }

    GuestRequest as(BlockOp op, long offsetBytes, long lengthBytes) {
        boolean transfers = op == BlockOp.READ || op == BlockOp.WRITE;
        parsed(op, offsetBytes / SECTOR_BYTES, lengthBytes, transfers ? iovecs.address() : 0, transfers ? segments : 0);
        return this;
    }

    GuestRequest unmapping() {
        setMayUnmap(true);
        return this;
    }

    @Override
    protected void completed(int result) {
        completions++;
    }

    @Override
    public void close() {
        iovecs.close();
    }
}
