package dev.sluice.pipeline;

import dev.sluice.linux.Iovec;
import dev.sluice.linux.NativeMemory;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.util.Objects;

/**
 * Copies between the data of a request and memory of a stage or operator, across the borders of iovecs.
 *
 * <p>The only way in which they reach the data: its memory may belong to a front end, which can truncate it at any time, and of all accesses only those of
 * {@link NativeMemory} survive that in every compiler. The only class of the pipeline that knows the memory's package.
 *
 * <p><b>Threading:</b> any that may use the request. <b>Failure:</b> {@link TruncatedMemoryException}. <b>Allocation:</b> none.
 */
final class DataCopy {
    static final int IOVEC_BYTES = Iovec.SIZE;

    private static final long MAX_CALL_BYTES = 1 << 30;

    private DataCopy() {}

    /** Makes an iovec of one range. */
    static void setIovec(long iovec, long address, long bytes) {
        Iovec.set(iovec, 0, address, bytes);
    }

    static long address(long iovecs, int index) {
        return Iovec.base(iovecs, index);
    }

    static long length(long iovecs, int index) {
        return Iovec.length(iovecs, index);
    }

    /** For system calls: {@link BlockRequest#callBuffer}. */
    static ByteBuffer callBuffer(long iovecs, int index, long offset) {
        long bytes = Math.min(MAX_CALL_BYTES, length(iovecs, index) - offset);
        return NativeMemory.view(address(iovecs, index) + offset, bytes).asByteBuffer();
    }

    /** From the request's data to a segment. */
    static void out(RequestContent request, long dataOffset, MemorySegment target, long targetOffset, long bytes) {
        copy(request, dataOffset, target, targetOffset, bytes, true);
    }

    /** From a segment to the request's data. */
    static void in(RequestContent request, long dataOffset, MemorySegment source, long sourceOffset, long bytes) {
        if (request.op() == BlockOp.WRITE) {
            throw new UnsupportedOperationException("the data of a WRITE is read-only, it lies in pages that the guest continues to use: " + request);
        }
        copy(request, dataOffset, source, sourceOffset, bytes, false);
    }

    private static void copy(RequestContent request, long dataOffset, MemorySegment segment, long segmentOffset, long bytes, boolean out) {
        Objects.checkFromIndexSize(dataOffset, bytes, request.dataBytes());
        Objects.checkFromIndexSize(segmentOffset, bytes, segment.byteSize());
        try {
            long skip = dataOffset;
            long done = 0;
            for (int i = 0; done < bytes; i++) {
                long length = request.dataLength(i);
                if (skip >= length) {
                    skip -= length;
                    continue;
                }
                long address = request.dataAddress(i) + skip;
                long part = Math.min(length - skip, bytes - done);
                if (out) {
                    NativeMemory.copyToSegment(address, segment, segmentOffset + done, part);
                } else {
                    NativeMemory.copyFromSegment(segment, segmentOffset + done, address, part);
                }
                done += part;
                skip = 0;
            }
            request.surfaceFault();
        } catch (InternalError fault) {
            throw truncated(request, fault);
        }
    }

    private static TruncatedMemoryException truncated(RequestContent request, InternalError fault) {
        return new TruncatedMemoryException("the memory of a request's data has been truncated: " + request, fault);
    }
}
