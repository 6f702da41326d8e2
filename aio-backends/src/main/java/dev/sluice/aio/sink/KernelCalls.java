package dev.sluice.aio.sink;

import dev.sluice.aio.loop.LoopHandle;

/**
 * What a kind of sink does for {@link RawSink}: it starts calls, each known by its slot, of which there is one at a time in a slot.
 *
 * <p><b>Threading:</b> the loop's thread. <b>Allocation:</b> none per call.
 */
abstract class KernelCalls extends LoopHandle {
    /**
     * Starts READV or WRITEV for a slot, whose result is {@linkplain RawSink#collect collected} later.
     *
     * @return false where no more is accepted for now; it is tried again after a moment
     */
    protected abstract boolean startVector(int slot, boolean reads, int fd, long iovecs, int iovecCount, long offset, int rwFlags);

    /** As {@link #startVector}, of one buffer. */
    protected abstract boolean startBuffer(int slot, boolean reads, int fd, long address, int bytes, long offset, int rwFlags);

    /** As {@link #startVector}: fallocate(2). */
    protected abstract boolean startFallocate(int slot, int fd, int mode, long offset, long bytes);

    /** As {@link #startVector}: fdatasync(2) of {@link RawSink#syncFd}. */
    protected abstract boolean startSync(int slot, int fd);

    /** All calls of a {@link RawSink#flush} have been started. */
    protected abstract void endBatch();

    /** Calls of an {@linkplain #endBatch ended} batch should reach the kernel before the tick ends. For a kind of sink whose loop submits them otherwise. */
    protected void submitNow() {}

    /** How many calls were started and have not ended. */
    protected abstract int inKernel();

    /** Frees what the kind of sink holds; once, with nothing in flight. */
    protected abstract void release();

    /**
     * The kernel has ended a call of this slot unmade though nobody had asked for that (ECANCELED): io_uring could start no worker thread for it. It is tried
     * again; a kind of sink that knows another way takes it then.
     */
    protected void cancelled(int slot) {}
}
