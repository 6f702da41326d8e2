package dev.sluice.device;

import dev.sluice.linux.Errno;
import dev.sluice.linux.LinuxFile;
import dev.sluice.pipeline.BlockGeometry;
import dev.sluice.pipeline.BlockOp;
import dev.sluice.pipeline.BlockPipeline;
import dev.sluice.pipeline.BlockRequest;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;

/** What a {@link BlockDevice} accepts: validated on the caller's thread, before anything crosses into the loop. Any thread. */
final class Limits {

    private final BlockPipeline pipeline;
    private final BlockBufferPool pool;
    private final int maxSegments;

    Limits(BlockPipeline pipeline, BlockBufferPool pool, int maxSegments) {
        this.pipeline = pipeline;
        this.pool = pool;
        this.maxSegments = maxSegments;
    }

    /**
     * Validates a range.
     *
     * @throws IllegalArgumentException if it is not made of whole sectors, ends beyond the disk, or is too long
     * @throws BlockIoException EROFS or EOPNOTSUPP if the device does not support the operation
     */
    void check(BlockOp op, long offsetBytes, long lengthBytes) throws BlockIoException {
        BlockGeometry geometry = pipeline.geometry();
        if (((offsetBytes | lengthBytes) & (BlockRequest.SECTOR_BYTES - 1)) != 0) {
            throw new IllegalArgumentException(op + " of " + lengthBytes + " bytes at offset " + offsetBytes + ": both must be multiples of 512");
        }
        if (!geometry.containsBytes(offsetBytes, lengthBytes)) {
            throw new IllegalArgumentException(op + " of " + lengthBytes + " bytes at offset " + offsetBytes + " is not within the device's "
                    + geometry.sizeBytes() + " bytes");
        }
        boolean transfer = op == BlockOp.READ || op == BlockOp.WRITE;
        if (transfer && lengthBytes > LinuxFile.MAX_RW_COUNT) {
            throw new IllegalArgumentException(op + " of " + lengthBytes + " bytes: a request moves at most " + LinuxFile.MAX_RW_COUNT);
        }
        if (op.modifies() && geometry.readOnly()) {
            throw BlockIoException.failed(op, offsetBytes, lengthBytes, Errno.EROFS);
        }
        if ((op == BlockOp.DISCARD && !geometry.discard()) || (op == BlockOp.WRITE_ZEROES && !geometry.writeZeroes())) {
            throw BlockIoException.failed(op, offsetBytes, lengthBytes, Errno.EOPNOTSUPP);
        }
    }

    void checkSegments(int segments) {
        if (segments > maxSegments) {
            throw new IllegalArgumentException("a request with " + segments + " buffers; the maximum is " + maxSegments);
        }
    }

    /**
     * The address of a buffer's position.
     *
     * @throws IllegalArgumentException if the kernel cannot use it, or if it must not be written to
     */
    long address(BlockOp op, ByteBuffer buffer) {
        checkKind(op, buffer);
        return MemorySegment.ofBuffer(buffer).address();
    }

    /**
     * Validates a buffer, not its memory.
     *
     * @throws IllegalArgumentException if the kernel cannot use it, or if it must not be written to
     */
    void checkKind(BlockOp op, ByteBuffer buffer) {
        if (!buffer.isDirect()) {
            throw new IllegalArgumentException("heap buffers are not supported, as the garbage collector moves them: use BlockDevice.buffers() or"
                    + " ByteBuffer.allocateDirect, or BlockDevice.channel(), which copies");
        }
        if (op == BlockOp.READ && buffer.isReadOnly()) {
            throw new IllegalArgumentException("cannot read into a read-only buffer");
        }
    }

    /** True if the memory itself may be passed to the kernel: nobody can free it before the request has completed. Also for heap buffers, which are refused. */
    boolean zeroCopy(ByteBuffer buffer) {
        return !buffer.isDirect() || Scopes.lasts(buffer) || pool.owns(MemorySegment.ofBuffer(buffer).address());
    }

    /**
     * Pins the pooled buffer that contains the address, if any.
     *
     * @throws IllegalArgumentException if that buffer has been closed
     * @throws IllegalStateException if its pool has been freed along with its device
     */
    void pin(long address, ByteBuffer buffer) {
        switch (pool.pin(address)) {
            case HELD -> {}
            case CLOSED -> throw new IllegalArgumentException("the BlockBuffer of " + buffer + " has been closed");
            case NOT_POOLED -> {
                if (!Scopes.lasts(buffer)) {
                    throw new IllegalStateException("the memory of " + buffer + " has been freed: the block device of its pool is closed");
                }
            }
        }
    }
}
