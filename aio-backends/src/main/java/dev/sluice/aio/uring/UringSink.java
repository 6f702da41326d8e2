package dev.sluice.aio.uring;

import dev.sluice.aio.raw.RawImage;
import dev.sluice.aio.sink.CompletionSeam;
import dev.sluice.aio.sink.RawSink;
import dev.sluice.linux.UringBuffers;

/**
 * A raw image through a loop's ring: a batch becomes entries of Netty's submission queue, without a system call; the loop's next enter submits
 * them together with everything else of the tick.
 *
 * <p><b>Threading</b>, <b>Ownership</b>, <b>Failure:</b> as {@link RawSink} says. <b>Allocation:</b> none per
 * request but Netty's operation object, which escape analysis removes.
 */
final class UringSink extends RawSink {
    private final RegisteredBuffers registered;
    private final RingEntry ring;

    /** The memory that is registered with the ring for this sink; of no bytes where there is none. */
    private long fixedAddress;

    private long fixedBytes;
    private int fixedPlace = RegisteredBuffers.NONE;

    UringSink(IoUringLoop loop, RawImage image, int capacity, CompletionSeam seam, Runnable onClosed) {
        super(loop, image, capacity, seam, onClosed);
        this.registered = loop.registeredBuffers();
        this.ring = new RingEntry(loop, this, this::collect, this::loopEnding);
    }

    void register() {
        ring.register();
    }

    @Override
    protected boolean startVector(int slot, boolean reads, int fd, long iovecs, int iovecCount, long offset, int rwFlags) {
        return ring.submit(RingOps.vector(reads, fd, iovecs, iovecCount, offset, rwFlags, (short) slot)) != 0;
    }

    @Override
    protected boolean startBuffer(int slot, boolean reads, int fd, long address, int bytes, long offset, int rwFlags) {
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
        return ring.submit(RingOps.fallocate(fd, mode, offset, bytes, (short) slot)) != 0;
    }

    @Override
    protected boolean startSync(int slot, int fd) {
        return ring.submit(RingOps.fdatasync(fd, (short) slot)) != 0;
    }

    @Override
    protected void endBatch() {
        // The loop's next enter submits.
    }

    @Override
    protected int inKernel() {
        return ring.inKernel();
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
