package dev.sluice.linux;

/**
 * {@code struct aio_ring}: the completion ring that the kernel maps at the address of an AIO context, for reaping
 * without a system call.
 *
 * <pre>{@code
 * struct aio_ring {
 *     unsigned id;
 *     unsigned nr;                   // number of io_events
 *     unsigned head;                 // written by user space or io_getevents(2)
 *     unsigned tail;                 // written by the kernel
 *     unsigned magic;
 *     unsigned compat_features;
 *     unsigned incompat_features;
 *     unsigned header_length;
 *     struct io_event io_events[];
 * };
 * }</pre>
 *
 * <p>Layout only. Head and tail are indexes below {@code nr}. One thread reaps, here or by io_getevents. The kernel does
 * not guarantee the layout: use it only if {@link #isUsable} returns true. Source: {@code fs/aio.c}, fio's and QEMU's
 * user-space reaping.
 */
public final class AioRing {
    public static final int ID_OFFSET = 0;
    public static final int COUNT_OFFSET = 4;
    public static final int HEAD_OFFSET = 8;
    public static final int TAIL_OFFSET = 12;
    public static final int MAGIC_OFFSET = 16;
    public static final int COMPAT_OFFSET = 20;
    public static final int INCOMPAT_OFFSET = 24;
    public static final int HEADER_LENGTH_OFFSET = 28;
    public static final int EVENTS_OFFSET = 32;
    public static final int MAGIC = 0xa10a10a1;

    private AioRing() {}

    /** Whether the kernel has a ring of this layout at the context's address. */
    public static boolean isUsable(long context) {
        return NativeMemory.getInt(context + MAGIC_OFFSET) == MAGIC
                && NativeMemory.getInt(context + INCOMPAT_OFFSET) == 0
                && NativeMemory.getInt(context + HEADER_LENGTH_OFFSET) == EVENTS_OFFSET;
    }

    public static int count(long context) {
        return NativeMemory.getInt(context + COUNT_OFFSET);
    }

    public static int head(long context) {
        return NativeMemory.getInt(context + HEAD_OFFSET);
    }

    /** Acquires: pairs with the kernel's barrier between writing the events and the tail. */
    public static int tail(long context) {
        return NativeMemory.getIntAcquire(context + TAIL_OFFSET);
    }

    /** Releases: the kernel reuses the events before the new head only after they were read. */
    public static void advanceHead(long context, int head) {
        NativeMemory.putIntRelease(context + HEAD_OFFSET, head);
    }

    /** The address of the {@link IoEvent} at {@code index}. */
    public static long event(long context, int index) {
        return IoEvent.address(context + EVENTS_OFFSET, index);
    }
}
