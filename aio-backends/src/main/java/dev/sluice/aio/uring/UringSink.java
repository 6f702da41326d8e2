package dev.sluice.aio.uring;

import dev.sluice.aio.raw.RawImage;
import dev.sluice.aio.sink.CompletionSeam;
import dev.sluice.aio.sink.RawSink;

/**
 * A raw image through a loop's ring: a batch becomes entries of Netty's submission queue, without a system call; the loop's next enter submits
 * them together with everything else of the tick.
 *
 * <p><b>Threading</b>, <b>Ownership</b>, <b>Failure:</b> as {@link RawSink} says. <b>Allocation:</b> none per
 * request but Netty's operation object, which escape analysis removes.
 */
final class UringSink extends RawSink {
    private final RingEntry ring;

    UringSink(IoUringLoop loop, RawImage image, int capacity, CompletionSeam seam, Runnable onClosed) {
        super(loop, image, capacity, seam, onClosed);
        this.ring = new RingEntry(loop, this, this::collect, this::loopEnding);
    }

    void register() {
        ring.register();
    }

    @Override
    protected boolean startVector(int slot, boolean reads, int fd, long iovecs, int iovecCount, long offset, int rwFlags) {
        short data = (short) slot;
        return ring.submit(reads ? RingOps.readv(fd, iovecs, iovecCount, offset, data) : RingOps.writev(fd, iovecs, iovecCount, offset, rwFlags, data)) != 0;
    }

    @Override
    protected boolean startBuffer(int slot, boolean reads, int fd, long address, int bytes, long offset, int rwFlags) {
        short data = (short) slot;
        return ring.submit(reads ? RingOps.read(fd, address, bytes, offset, data) : RingOps.write(fd, address, bytes, offset, rwFlags, data)) != 0;
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
        ring.unregister();
    }

    private void collect(int result, int flags, byte opcode, short data) {
        collect(Short.toUnsignedInt(data), result);
    }
}
