package dev.sluice.linux;

import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;

/**
 * eventfd(2): the counter behind the kick and the call of a virtqueue, and behind the wake-up of a loop.
 *
 * <p><b>Threading</b>: any thread. <b>Ownership</b>: the caller adopts what {@link #create} returns. <b>Failure</b>: a
 * negative errno. <b>Allocation</b>: none for {@link #signal} and {@link #drain}. Source: eventfd(2).
 */
public final class EventFd {
    public static final int EFD_CLOEXEC = 0x80000;
    public static final int EFD_NONBLOCK = 0x800;
    public static final int EFD_SEMAPHORE = 0x1;

    private static final Libc.Call2 EVENTFD = new Libc.Call2(Libc.returningInt("eventfd"));
    private static final Libc.Call3 READ = new Libc.Call3(Libc.repeatable("read"));
    private static final Libc.Call3 WRITE = new Libc.Call3(Libc.repeatable("write"));
    private static final long COUNTER_BYTES = 8;

    /** The eight bytes that every signal writes: constant, so that all threads share them. */
    private static final long ONE_ADDRESS = Arena.global().allocateFrom(ValueLayout.JAVA_LONG, 1L).address();

    private EventFd() {}

    /** Creates an eventfd. Returns the descriptor or a negative errno. */
    public static int create(int initial, int flags) {
        return (int) EVENTFD.call(initial, flags);
    }

    /**
     * Adds one to the counter. Returns 0 or a negative errno.
     *
     * <p>-EAGAIN from a non-blocking eventfd means that the counter is full, so the reader has a signal pending. A
     * <em>blocking</em> eventfd with a full counter blocks the caller: make an eventfd from a peer non-blocking first.
     */
    public static int signal(int fd) {
        long written = WRITE.call(fd, ONE_ADDRESS, COUNTER_BYTES);
        return written < 0 ? (int) written : 0;
    }

    /**
     * Reads the counter and sets it to zero. Returns it, or a negative errno (-EAGAIN: it was zero). A counter above
     * {@code Long.MAX_VALUE}, which a peer may write, is returned as {@code Long.MAX_VALUE} and never as an errno.
     */
    public static long drain(int fd) {
        long words = Libc.ThreadScratch.current().words().address();
        long read = READ.call(fd, words, COUNTER_BYTES);
        if (read < 0) {
            return read;
        }
        long count = NativeMemory.getLong(words);
        return count < 0 ? Long.MAX_VALUE : count;
    }

    /** Whether the descriptor is an eventfd, by its name in /proc: checked before a peer's descriptor is trusted. */
    public static boolean isEventFd(int fd) {
        return LinuxFile.descriptorName(fd).equals("anon_inode:[eventfd]");
    }
}
