package dev.sluice.pipeline;

import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;

/**
 * What a {@link BlockRequest} asks for, and the data that goes with it: set by its queue when it parses the request, read by everybody on its way.
 *
 * <p>Stages and operators reach the data through copies alone. It may lie in memory of a front end, which can truncate it at any time: an access of another
 * kind could end the process.
 *
 * <p><b>Threading, Ownership:</b> as in {@link BlockRequest}. <b>Failure:</b> copies throw {@link TruncatedMemoryException}. <b>Allocation:</b> none, but for
 * copies to and from arrays and buffers.
 */
public abstract class RequestContent {
    private BlockOp op = BlockOp.READ;
    private long sector;
    private long lengthBytes;
    private long iovecsAddress;
    private int iovecCount;
    private boolean durable;
    private boolean mayUnmap;

    RequestContent() {}

    // ---- what it asks for

    public final BlockOp op() {
        return op;
    }

    /** First sector of 512 bytes; checked against the disk's capacity by the queue. */
    public final long sector() {
        return sector;
    }

    public final long offsetBytes() {
        return sector * BlockRequest.SECTOR_BYTES;
    }

    /** Bytes to read, write, discard or zero; 0 for a FLUSH. */
    public final long lengthBytes() {
        return lengthBytes;
    }

    /**
     * For sinks, which give it to the kernel: address of a native array of {@code struct iovec}, in host addresses; the request's own until completion.
     * 0 if there is no data. Memory that it refers to is never accessed directly: the front end may have truncated it.
     */
    public final long iovecsAddress() {
        return iovecsAddress;
    }

    public final int iovecCount() {
        return iovecCount;
    }

    /** True where the request must be on stable storage when it completes (the disk is in write-through mode). */
    public final boolean durable() {
        return durable;
    }

    /** True where a WRITE_ZEROES may release the space. */
    public final boolean mayUnmap() {
        return mayUnmap;
    }

    // ---- its data

    /** Bytes of data that can be copied: {@link #lengthBytes} of a READ or WRITE, else 0. */
    public final long dataBytes() {
        return iovecCount == 0 ? 0 : lengthBytes;
    }

    /**
     * Copies data of the request into a segment, native or on the heap: of a WRITE what is to be written, of a READ what was read once the rest of the chain
     * has completed. What is copied is the stage's own; the guest may change its memory at any time, so whoever validates data copies it once.
     *
     * @param dataOffset where in the data to begin, across the borders of iovecs
     * @throws IndexOutOfBoundsException if the data or the segment is too short; nothing was copied
     * @throws IllegalStateException if the request has completed, also because it failed at the drain limit
     * @throws TruncatedMemoryException if the front end has truncated its memory; a stage passes it on, which fails this request
     */
    public final void copyDataTo(long dataOffset, MemorySegment target, long targetOffset, long bytes) {
        copyOut(dataOffset, target, targetOffset, bytes);
    }

    /** Copies data of the request into an array; as {@link #copyDataTo(long, MemorySegment, long, long)}. */
    public final void copyDataTo(long dataOffset, byte[] target, int targetOffset, int bytes) {
        copyOut(dataOffset, MemorySegment.ofArray(target), targetOffset, bytes);
    }

    /**
     * Fills what remains of a buffer with data of the request, and moves its position to its limit; as {@link #copyDataTo(long, MemorySegment, long, long)}.
     */
    public final void copyDataTo(long dataOffset, ByteBuffer target) {
        copyOut(dataOffset, MemorySegment.ofBuffer(target), 0, target.remaining());
        target.position(target.limit());
    }

    /**
     * Copies a segment, native or on the heap, into the data of a READ: before the stage completes it by itself, or after the rest of the chain has completed.
     *
     * @param dataOffset where in the data to begin, across the borders of iovecs
     * @throws UnsupportedOperationException if the request is a WRITE: its data lies in pages that the guest continues to use (its page cache), which an
     * encryption in place would destroy
     * @throws IndexOutOfBoundsException if the data or the segment is too short; nothing was copied
     * @throws IllegalStateException if the request has completed, also because it failed at the drain limit
     * @throws TruncatedMemoryException if the front end has truncated its memory; a stage passes it on, which fails this request
     */
    public final void copyDataFrom(long dataOffset, MemorySegment source, long sourceOffset, long bytes) {
        copyIn(dataOffset, source, sourceOffset, bytes);
    }

    /** Copies an array into the data of a READ; as {@link #copyDataFrom(long, MemorySegment, long, long)}. */
    public final void copyDataFrom(long dataOffset, byte[] source, int sourceOffset, int bytes) {
        copyIn(dataOffset, MemorySegment.ofArray(source), sourceOffset, bytes);
    }

    /**
     * Copies what remains of a buffer into the data of a READ, and moves its position to its limit; as {@link #copyDataFrom(long, MemorySegment, long, long)}.
     */
    public final void copyDataFrom(long dataOffset, ByteBuffer source) {
        copyIn(dataOffset, MemorySegment.ofBuffer(source), 0, source.remaining());
        source.position(source.limit());
    }

    void copyOut(long dataOffset, MemorySegment target, long targetOffset, long bytes) {
        checkInUse();
        DataCopy.out(this, dataOffset, target, targetOffset, bytes);
    }

    void copyIn(long dataOffset, MemorySegment source, long sourceOffset, long bytes) {
        checkInUse();
        DataCopy.in(this, dataOffset, source, sourceOffset, bytes);
    }

    /** The request has not ended. */
    abstract void checkInUse();

    long dataAddress(int index) {
        return DataCopy.address(iovecsAddress, index);
    }

    long dataLength(int index) {
        return DataCopy.length(iovecsAddress, index);
    }

    /**
     * If the data lies in memory that a peer can truncate, throws the {@code InternalError} of an access that has faulted and was not reported
     * yet. Called after data was copied.
     */
    protected void surfaceFault() {}

    // ---- for the queue that owns the request

    /** Of a request that is parsed; not durable, and without leave to unmap. */
    final void asks(BlockOp op, long sector, long lengthBytes, long iovecsAddress, int iovecCount) {
        this.op = op;
        this.sector = sector;
        this.lengthBytes = lengthBytes;
        this.iovecsAddress = iovecsAddress;
        this.iovecCount = iovecCount;
        this.durable = false;
        this.mayUnmap = false;
    }

    /** The same as another one. */
    final void asksAs(RequestContent other) {
        asks(other.op, other.sector, other.lengthBytes, other.iovecsAddress, other.iovecCount);
        durable = other.durable;
        mayUnmap = other.mayUnmap;
    }

    protected final void setDurable(boolean durable) {
        this.durable = durable;
    }

    protected final void setMayUnmap(boolean mayUnmap) {
        this.mayUnmap = mayUnmap;
    }
}
