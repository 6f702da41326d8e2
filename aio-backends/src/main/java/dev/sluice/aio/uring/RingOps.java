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

    static IoUringIoOps readv(int fd, long iovecs, int iovecCount, long offset, short data) {
        return operation(OP_READV, fd, offset, iovecs, iovecCount, 0, data);
    }

    static IoUringIoOps writev(int fd, long iovecs, int iovecCount, long offset, int rwFlags, short data) {
        return operation(OP_WRITEV, fd, offset, iovecs, iovecCount, rwFlags, data);
    }

    static IoUringIoOps read(int fd, long address, int bytes, long offset, short data) {
        return operation(OP_READ, fd, offset, address, bytes, 0, data);
    }

    static IoUringIoOps write(int fd, long address, int bytes, long offset, int rwFlags, short data) {
        return operation(OP_WRITE, fd, offset, address, bytes, rwFlags, data);
    }

    /** fdatasync(2). */
    static IoUringIoOps fdatasync(int fd, short data) {
        return operation(OP_FSYNC, fd, 0, 0, 0, FSYNC_DATASYNC, data);
    }

    /** fallocate(2); the kernel takes the length from {@code addr} and the mode from {@code len}. */
    static IoUringIoOps fallocate(int fd, int mode, long offset, long bytes, short data) {
        return operation(OP_FALLOCATE, fd, offset, bytes, mode, 0, data);
    }

    /** poll(2) that stays armed and reports edges (the kernel's default for a multishot poll). */
    static IoUringIoOps pollMultishot(int fd, int events, short data) {
        return operation(OP_POLL_ADD, fd, 0, 0, POLL_ADD_MULTI, events, data);
    }

    /** Ends an earlier operation, named by what its {@code submit} returned. */
    static IoUringIoOps cancel(long submissionId, short data) {
        return operation(OP_ASYNC_CANCEL, -1, 0, submissionId, 0, 0, data);
    }

    private static IoUringIoOps operation(byte opcode, int fd, long offset, long address, int length, int opFlags, short data) {
        return new IoUringIoOps(
                opcode, (byte) 0, (short) 0, fd, offset, address, length, opFlags, (long) data, (short) 0, (short) 0, 0, 0L);
    }
}
