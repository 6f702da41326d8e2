package dev.sluice.linux;

import java.util.Objects;

/**
 * An epoll instance with a native array for its events, for loops without io_uring.
 *
 * <p><b>Threading</b>: one thread waits and reads the events; add, modify and remove may be called from any thread.
 * <b>Ownership</b>: the instance and the array are this object's; the watched descriptors stay their owners', who remove
 * them before they close them (otherwise a descriptor that was duplicated elsewhere keeps reporting events).
 * <b>Failure</b>: a negative errno; after -EINTR from {@link #await}, wait again. <b>Allocation</b>: at creation only.
 * Source: epoll(7).
 */
public final class Epoll implements AutoCloseable {
    public static final int EPOLLIN = 0x1;
    public static final int EPOLLOUT = 0x4;
    public static final int EPOLLERR = 0x8;
    public static final int EPOLLHUP = 0x10;
    public static final int EPOLLRDHUP = 0x2000;
    public static final int EPOLLONESHOT = 1 << 30;
    public static final int EPOLLET = 1 << 31;

    private static final int EPOLL_CLOEXEC = 0x80000;
    private static final int EPOLL_CTL_ADD = 1;
    private static final int EPOLL_CTL_DEL = 2;
    private static final int EPOLL_CTL_MOD = 3;

    private static final Libc.Call1 EPOLL_CREATE1 = new Libc.Call1(Libc.returningInt("epoll_create1"));
    private static final Libc.Call4 EPOLL_CTL = new Libc.Call4(Libc.returningInt("epoll_ctl"));
    private static final Libc.Call4 EPOLL_WAIT = new Libc.Call4(Libc.returningInt("epoll_wait"));

    private final Fd fd;
    private final NativeBlock events;
    private final int capacity;
    private int ready;

    private Epoll(Fd fd, int capacity) {
        this.fd = fd;
        this.capacity = capacity;
        this.events = NativeMemory.allocate((long) capacity * EpollEvent.SIZE, 8);
    }

    /** Creates an instance that returns at most {@code capacity} events at a time. */
    public static Epoll create(int capacity) throws ErrnoException {
        if (capacity < 1) {
            throw new IllegalArgumentException("capacity " + capacity + " is below 1");
        }
        int fd = (int) EPOLL_CREATE1.call(EPOLL_CLOEXEC);
        if (fd < 0) {
            throw new ErrnoException("epoll_create1", "", fd, "");
        }
        return new Epoll(Fd.adopt(fd), capacity);
    }

    /** Watches a descriptor; {@code data} is returned with its events. */
    public int add(int watched, int eventMask, long data) {
        return control(EPOLL_CTL_ADD, watched, eventMask, data);
    }

    public int modify(int watched, int eventMask, long data) {
        return control(EPOLL_CTL_MOD, watched, eventMask, data);
    }

    public int remove(int watched) {
        return control(EPOLL_CTL_DEL, watched, 0, 0);
    }

    private int control(int operation, int watched, int eventMask, long data) {
        long event = Libc.ThreadScratch.current().words().address();
        EpollEvent.set(event, eventMask, data);
        return (int) EPOLL_CTL.call(fd.number(), operation, watched, event);
    }

    /** Waits; -1 waits forever, 0 does not wait. Returns how many events there are, or a negative errno. */
    public int await(int timeoutMillis) {
        int result = (int) EPOLL_WAIT.call(fd.number(), events.address(), capacity, timeoutMillis);
        ready = Math.max(result, 0);
        return result;
    }

    /** The events of entry {@code index} of the last {@link #await}. */
    public int events(int index) {
        return EpollEvent.events(element(index));
    }

    /** The {@code data} given to {@link #add} for the descriptor of entry {@code index}. */
    public long data(int index) {
        return EpollEvent.data(element(index));
    }

    public int number() {
        return fd.number();
    }

    @Override
    public void close() {
        fd.close();
        events.close();
    }

    private long element(int index) {
        return events.address() + (long) Objects.checkIndex(index, ready) * EpollEvent.SIZE;
    }
}
