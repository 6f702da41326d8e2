package dev.sluice.aio.uring;

import io.netty.channel.uring.IoUringIoOps;

/**
 * The operations of io_uring that Sluice uses, in the argument order of Netty's constructor. The only place that knows opcodes and the
 * unions of {@code struct io_uring_sqe}.
 *
 * <p>{@code data} comes back in the completion. It is a short in each of these: a wider number would cost Netty a map entry an operation.
 *
 * <p><b>Allocation:</b> one object a call, which escape analysis removes in steady state. Source: {@code linux/io_uring.h}, io_uring_enter(2).
 */
final class RingOps {
    static final byte OP_READV = 1;
    static final byte OP_WRITEV = 2;
    static final byte OP_FSYNC = 3;
    static final byte OP_READ_FIXED = 4;
    static final byte OP_WRITE_FIXED = 5;
    static final byte OP_POLL_ADD = 6;
    static final byte OP_ASYNC_CANCEL = 14;
    static final byte OP_FALLOCATE = 17;
    static final byte OP_READ = 22;
    static final byte OP_WRITE = 23;

    /** More completions follow for the same submission (a multishot poll). */
    static final int CQE_F_MORE = 1 << 1;

    private static final int FSYNC_DATASYNC = 1;
    private static final int POLL_ADD_MULTI = 1;

    private RingOps() {}

    /** preadv2(2) or pwritev2(2); {@code rwFlags} are RWF_ flags. */
    static IoUringIoOps vector(boolean reads, int fd, long iovecs, int iovecCount, long offset, int rwFlags, short data) {
        return operation(reads ? OP_READV : OP_WRITEV, fd, offset, iovecs, iovecCount, rwFlags, data, 0);
    }

    /** As {@link #vector}, of one buffer; {@code place} is that of the {@link RegisteredBuffers} that it lies in, or {@link RegisteredBuffers#NONE}. */
    static IoUringIoOps buffer(boolean reads, int place, int fd, long address, int bytes, long offset, int rwFlags, short data) {
        boolean fixed = place != RegisteredBuffers.NONE;
        byte opcode = reads ? (fixed ? OP_READ_FIXED : OP_READ) : (fixed ? OP_WRITE_FIXED : OP_WRITE);
        return operation(opcode, fd, offset, address, bytes, rwFlags, data, fixed ? place : 0);
    }

    /** fdatasync(2). */
    static IoUringIoOps fdatasync(int fd, short data) {
        return operation(OP_FSYNC, fd, 0, 0, 0, FSYNC_DATASYNC, data, 0);
    }

    /** fallocate(2); the kernel takes the length from {@code addr} and the mode from {@code len}. */
    static IoUringIoOps fallocate(int fd, int mode, long offset, long bytes, short data) {
        return operation(OP_FALLOCATE, fd, offset, bytes, mode, 0, data, 0);
    }

    /** poll(2) that stays armed and reports edges (the kernel's default for a multishot poll). */
    static IoUringIoOps pollMultishot(int fd, int events, short data) {
        return operation(OP_POLL_ADD, fd, 0, 0, POLL_ADD_MULTI, events, data, 0);
    }

    /** Ends an earlier operation, named by what its {@code submit} returned. */
    static IoUringIoOps cancel(long submissionId, short data) {
        return operation(OP_ASYNC_CANCEL, -1, 0, submissionId, 0, 0, data, 0);
    }

    private static IoUringIoOps operation(byte opcode, int fd, long offset, long address, int length, int opFlags, short data, int bufferIndex) {
        return new IoUringIoOps(
                opcode, (byte) 0, (short) 0, fd, offset, address, length, opFlags, (long) data, (short) bufferIndex, (short) 0, 0, 0L);
    }
}
