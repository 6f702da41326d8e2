package dev.sluice.aio.uring;

import dev.sluice.aio.raw.RawImage;
import dev.sluice.aio.sink.CompletionSeam;
import dev.sluice.aio.sink.RawSink;
import dev.sluice.aio.sink.ThreadCalls;
import dev.sluice.aio.threads.CallThreads;
import dev.sluice.linux.UringBuffers;
import org.jspecify.annotations.Nullable;

/**
 * A raw image through a loop's ring: a batch becomes entries of Netty's submission queue, without a system call; the loop's next enter submits
 * them together with everything else of the tick. A call for which the kernel can start no worker thread (it says ECANCELED) is made by a thread of the
 * backend's.
 *
 * <p><b>Threading</b>, <b>Ownership</b>, <b>Failure:</b> as {@link RawSink} says. <b>Allocation:</b> none per
 * request but Netty's operation object, which escape analysis removes.
 */
final class UringSink extends RawSink {
    private static final int CANCELLATIONS = 2;

    private final RegisteredBuffers registered;
    private final RingEntry ring;
    private final IoUringLoop loop;

    /** The memory that is registered with the ring for this sink; of no bytes if there is none. */
    private long fixedAddress;

    private long fixedBytes;
    private int fixedPlace = RegisteredBuffers.NONE;

    /** For calls that the kernel has cancelled twice. */
    private final ThreadCalls threads;

    /** How often in a row the kernel has cancelled a slot's call; none before the first time. */
    private byte @Nullable [] cancellations;

    UringSink(IoUringLoop loop, RawImage image, int capacity, CallThreads callThreads, CompletionSeam seam, Runnable onClosed) {
        super(loop, image, capacity, seam, onClosed);
        this.loop = loop;
        this.registered = loop.registeredBuffers();
        this.threads = new ThreadCalls(this, loop, callThreads);
        this.ring = new RingEntry(loop, this, this::collect, this::loopEnding);
    }

    void register() {
        ring.register();
    }

    @Override
    protected boolean startVector(int slot, boolean reads, int fd, long iovecs, int iovecCount, long offset, int rwFlags) {
        if (cancellations != null && needsThread(slot)) {
            return onThread(slot, threads.startVector(slot, reads, fd, iovecs, iovecCount, offset, rwFlags));
        }
        return ring.submit(RingOps.vector(reads, fd, iovecs, iovecCount, offset, rwFlags, (short) slot)) != 0;
    }

    @Override
    protected boolean startBuffer(int slot, boolean reads, int fd, long address, int bytes, long offset, int rwFlags) {
        if (cancellations != null && needsThread(slot)) {
            return onThread(slot, threads.startBuffer(slot, reads, fd, address, bytes, offset, rwFlags));
        }
        return ring.submit(RingOps.buffer(reads, placeOf(address, bytes), fd, address, bytes, offset, rwFlags, (short) slot)) != 0;
    }

    private int placeOf(long address, int bytes) {
        long at = address - fixedAddress;
        return at >= 0 && at <= fixedBytes - bytes ? fixedPlace : RegisteredBuffers.NONE;
    }

    @Override
    public boolean registerBuffers(long address, long bytes) {
        if (fixedPlace != RegisteredBuffers.NONE) {
            return false;
        }
        long counted = Math.min(bytes, UringBuffers.MAX_BUFFER_BYTES);
        fixedPlace = registered.register(address, counted);
        if (fixedPlace == RegisteredBuffers.NONE) {
            return false;
        }
        fixedAddress = address;
        fixedBytes = counted;
        return true;
    }

    @Override
    public void unregisterBuffers(long address) {
        if (fixedPlace != RegisteredBuffers.NONE && fixedAddress == address) {
            registered.unregister(fixedPlace);
            fixedPlace = RegisteredBuffers.NONE;
            fixedBytes = 0;
        }
    }

    @Override
    protected boolean startFallocate(int slot, int fd, int mode, long offset, long bytes) {
        if (cancellations != null && needsThread(slot)) {
            return onThread(slot, threads.startFallocate(slot, fd, mode, offset, bytes));
        }
        return ring.submit(RingOps.fallocate(fd, mode, offset, bytes, (short) slot)) != 0;
    }

    @Override
    protected boolean startSync(int slot, int fd) {
        if (cancellations != null && needsThread(slot)) {
            return onThread(slot, threads.startSync(slot, fd));
        }
        return ring.submit(RingOps.fdatasync(fd, (short) slot)) != 0;
    }

    /** Once more by the ring, then by a thread: retrying is cheap and a worker may have become free, but there may never be one. */
    @Override
    protected void cancelled(int slot) {
        byte[] counted = cancellations;
        if (counted == null) {
            counted = new byte[capacity()];
            cancellations = counted;
        }
        counted[slot] = (byte) Math.min(counted[slot] + 1, CANCELLATIONS);
    }

    private boolean needsThread(int slot) {
        byte[] counted = cancellations;
        return counted != null && counted[slot] == CANCELLATIONS;
    }

    private boolean onThread(int slot, boolean started) {
        byte[] counted = cancellations;
        if (started && counted != null) {
            counted[slot] = 0;
        }
        return started;
    }

    @Override
    protected void endBatch() {
        // The loop's next enter submits.
    }

    @Override
    protected void submitNow() {
        loop.submitNow();
    }

    @Override
    protected int inKernel() {
        return ring.inKernel() + threads.inFlight();
    }

    @Override
    protected void release() {
        unregisterBuffers(fixedAddress);
        ring.unregister();
    }

    private void collect(int result, int flags, byte opcode, short data) {
        collect(Short.toUnsignedInt(data), result);
    }
}
