package dev.sluice.linux;

import java.lang.foreign.Arena;

/**
 * The system calls of Linux AIO.
 *
 * <p><b>Threading</b>: any thread; Sluice gives each loop a context of its own. <b>Ownership</b>: a context is its
 * creator's until {@link #destroy}, which waits for operations in flight. The iocbs are read during {@link #submit};
 * buffers and iovecs are in use until the completion. <b>Failure</b>: a negative errno. <b>Allocation</b>: none except at
 * setup. Source: io_setup(2), io_submit(2), io_getevents(2), io_destroy(2).
 */
public final class LinuxAio {
    private static final int SYS_IO_SETUP = LinuxPlatform.AARCH64 ? 0 : 206;
    private static final int SYS_IO_DESTROY = LinuxPlatform.AARCH64 ? 1 : 207;
    private static final int SYS_IO_SUBMIT = LinuxPlatform.AARCH64 ? 2 : 209;
    private static final int SYS_IO_GETEVENTS = LinuxPlatform.AARCH64 ? 4 : 208;

    private static final Libc.Call2 SYSCALL_1 = new Libc.Call2(Libc.returningLong("syscall"));
    private static final Libc.Call3 SYSCALL_2 = new Libc.Call3(Libc.returningLong("syscall"));
    /** For io_submit only: if it fails it has taken nothing. */
    private static final Libc.Call4 SYSCALL_3 = new Libc.Call4(Libc.repeatable("syscall"));
    private static final Libc.Call6 SYSCALL_5 = new Libc.Call6(Libc.returningLong("syscall"));

    /** A {@code struct timespec} of zero, for {@link #getEvents} that does not wait. Never written. */
    public static final long NO_WAIT = Arena.global().allocate(16, 8).address();

    /** For {@link #getEvents} that waits forever. */
    public static final long WAIT_FOREVER = 0;

    private LinuxAio() {}

    /**
     * Creates a context for {@code events} submissions in flight. Returns it, the address of its {@link AioRing}, or a
     * negative errno (-EAGAIN: above /proc/sys/fs/aio-max-nr).
     */
    public static long setup(int events) {
        long context = Libc.ThreadScratch.current().words().address();
        NativeMemory.putLong(context, 0);
        long result = SYSCALL_2.call(SYS_IO_SETUP, events, context);
        return result < 0 ? result : NativeMemory.getLong(context);
    }

    /** Waits for operations in flight and destroys the context. */
    public static int destroy(long context) {
        return (int) SYSCALL_1.call(SYS_IO_DESTROY, context);
    }

    /**
     * Submits the iocbs whose addresses are in the array. Returns how many the kernel took, from the front, which may be fewer;
     * a negative errno is about the first one, and none was taken. -EAGAIN: full.
     */
    public static int submit(long context, int count, long iocbAddresses) {
        return (int) SYSCALL_3.call(SYS_IO_SUBMIT, context, count, iocbAddresses);
    }

    /**
     * Waits for at least {@code minimum} completions and takes at most {@code maximum} to the {@link IoEvent} array.
     *
     * @param timespec address of a timeout, {@link #NO_WAIT} or {@link #WAIT_FOREVER}
     * @return how many, fewer than {@code minimum} after the timeout, or a negative errno
     */
    public static int getEvents(long context, int minimum, int maximum, long events, long timespec) {
        return (int) SYSCALL_5.call(SYS_IO_GETEVENTS, context, minimum, maximum, events, timespec);
    }
}
