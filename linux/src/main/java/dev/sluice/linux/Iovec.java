package dev.sluice.linux;

/**
 * {@code struct iovec}, as an element of a native array.
 *
 * <pre>{@code
 * struct iovec {
 *     void  *iov_base;
 *     size_t iov_len;
 * };
 * }</pre>
 *
 * <p>Layout only. <b>Threading</b>, <b>Ownership</b>: those of the array. <b>Failure</b>: none is checked.
 * <b>Allocation</b>: none. Source: readv(2).
 */
public final class Iovec {
    public static final int SIZE = 16;
    public static final int BASE_OFFSET = 0;
    public static final int LENGTH_OFFSET = 8;

    private Iovec() {}

    /** The address of element {@code index} of the array at {@code iovecs}. */
    public static long address(long iovecs, int index) {
        return iovecs + (long) index * SIZE;
    }

    public static long base(long iovecs, int index) {
        return NativeMemory.getLong(address(iovecs, index) + BASE_OFFSET);
    }

    public static long length(long iovecs, int index) {
        return NativeMemory.getLong(address(iovecs, index) + LENGTH_OFFSET);
    }

    public static void set(long iovecs, int index, long base, long length) {
        long element = address(iovecs, index);
        NativeMemory.putLong(element + BASE_OFFSET, base);
        NativeMemory.putLong(element + LENGTH_OFFSET, length);
    }
}
