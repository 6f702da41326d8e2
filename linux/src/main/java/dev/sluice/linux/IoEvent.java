package dev.sluice.linux;

/**
 * {@code struct io_event}: one completion of Linux AIO.
 *
 * <pre>{@code
 * struct io_event {
 *     __u64 data;      // iocb.aio_data
 *     __u64 obj;       // address of the iocb
 *     __s64 res;       // bytes, or a negative errno
 *     __s64 res2;
 * };
 * }</pre>
 *
 * <p>Layout only. <b>Threading</b>, <b>Ownership</b>: those of the array. <b>Allocation</b>: none. Source: {@code linux/aio_abi.h}.
 */
public final class IoEvent {
    public static final int SIZE = 32;
    public static final int DATA_OFFSET = 0;
    public static final int IOCB_OFFSET = 8;
    public static final int RESULT_OFFSET = 16;
    public static final int RESULT2_OFFSET = 24;

    private IoEvent() {}

    /** The address of element {@code index} of the array at {@code events}. */
    public static long address(long events, int index) {
        return events + (long) index * SIZE;
    }

    public static long data(long event) {
        return NativeMemory.getLong(event + DATA_OFFSET);
    }

    public static long iocb(long event) {
        return NativeMemory.getLong(event + IOCB_OFFSET);
    }

    /** Bytes, the events of a POLL, or a negative errno. */
    public static long result(long event) {
        return NativeMemory.getLong(event + RESULT_OFFSET);
    }
}
