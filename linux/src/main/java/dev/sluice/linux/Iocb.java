package dev.sluice.linux;

/**
 * {@code struct iocb}: one submission of Linux AIO.
 *
 * <pre>{@code
 * struct iocb {
 *     __u64 aio_data;          // returned in io_event.data
 *     __u32 aio_key;           // of the kernel
 *     __u32 aio_rw_flags;      // RWF_
 *     __u16 aio_lio_opcode;
 *     __s16 aio_reqprio;
 *     __u32 aio_fildes;
 *     __u64 aio_buf;           // iovecs for PREADV and PWRITEV, poll events for POLL
 *     __u64 aio_nbytes;        // number of iovecs for those
 *     __s64 aio_offset;
 *     __u64 aio_reserved2;
 *     __u32 aio_flags;
 *     __u32 aio_resfd;         // eventfd, with IOCB_FLAG_RESFD
 * };
 * }</pre>
 *
 * <p>Layout only; the order of key and flags is that of little endian machines. <b>Threading</b>: that of the block.
 * <b>Ownership</b>: the kernel copies it at io_submit, the memory that it points to stays in use until the completion.
 * <b>Allocation</b>: none. Source: {@code linux/aio_abi.h}.
 */
public final class Iocb {
    public static final int SIZE = 64;
    public static final int DATA_OFFSET = 0;
    public static final int KEY_OFFSET = 8;
    public static final int RW_FLAGS_OFFSET = 12;
    public static final int OPCODE_OFFSET = 16;
    public static final int PRIORITY_OFFSET = 18;
    public static final int FD_OFFSET = 20;
    public static final int BUFFER_OFFSET = 24;
    public static final int BYTES_OFFSET = 32;
    public static final int FILE_OFFSET_OFFSET = 40;
    public static final int RESERVED_OFFSET = 48;
    public static final int FLAGS_OFFSET = 56;
    public static final int RESULT_FD_OFFSET = 60;

    public static final short IOCB_CMD_PREAD = 0;
    public static final short IOCB_CMD_PWRITE = 1;
    public static final short IOCB_CMD_FDSYNC = 3;
    public static final short IOCB_CMD_PREADV = 7;
    public static final short IOCB_CMD_PWRITEV = 8;

    public static final int IOCB_FLAG_RESFD = 1;

    private Iocb() {}

    /** Fills a PREADV or PWRITEV; every other field becomes zero. */
    public static void setVectored(
            long iocb, short opcode, int fd, long iovecs, int iovecCount, long offset, int rwFlags, long data) {
        set(iocb, opcode, fd, iovecs, iovecCount, offset, data);
        NativeMemory.putInt(iocb + RW_FLAGS_OFFSET, rwFlags);
    }

    /** Fills a PREAD or PWRITE; every other field becomes zero. */
    public static void setBuffer(long iocb, short opcode, int fd, long address, long bytes, long offset, int rwFlags, long data) {
        set(iocb, opcode, fd, address, bytes, offset, data);
        NativeMemory.putInt(iocb + RW_FLAGS_OFFSET, rwFlags);
    }

    /** Fills an FDSYNC; every other field becomes zero. */
    public static void setDataSync(long iocb, int fd, long data) {
        set(iocb, IOCB_CMD_FDSYNC, fd, 0, 0, 0, data);
    }

    private static void set(long iocb, short opcode, int fd, long buffer, long bytes, long offset, long data) {
        NativeMemory.putLong(iocb + DATA_OFFSET, data);
        NativeMemory.putLong(iocb + KEY_OFFSET, 0);
        NativeMemory.putShort(iocb + OPCODE_OFFSET, opcode);
        NativeMemory.putShort(iocb + PRIORITY_OFFSET, (short) 0);
        NativeMemory.putInt(iocb + FD_OFFSET, fd);
        NativeMemory.putLong(iocb + BUFFER_OFFSET, buffer);
        NativeMemory.putLong(iocb + BYTES_OFFSET, bytes);
        NativeMemory.putLong(iocb + FILE_OFFSET_OFFSET, offset);
        NativeMemory.putLong(iocb + RESERVED_OFFSET, 0);
        NativeMemory.putLong(iocb + FLAGS_OFFSET, 0);
    }

    /** Makes the completion add one to an eventfd; after one of the set methods. */
    public static void setResultFd(long iocb, int eventFd) {
        NativeMemory.putInt(iocb + FLAGS_OFFSET, IOCB_FLAG_RESFD);
        NativeMemory.putInt(iocb + RESULT_FD_OFFSET, eventFd);
    }

    public static short opcode(long iocb) {
        return NativeMemory.getShort(iocb + OPCODE_OFFSET);
    }

    public static long data(long iocb) {
        return NativeMemory.getLong(iocb + DATA_OFFSET);
    }
}
