package dev.sluice.linux;

import java.util.Objects;

/**
 * A few descriptors to wait for with poll(2), in one native array that is reused.
 *
 * <pre>{@code
 * struct pollfd {
 *     int   fd;
 *     short events;
 *     short revents;
 * };
 * }</pre>
 *
 * <p><b>Threading</b>: one thread. <b>Ownership</b>: the descriptors stay their owners'; remove a descriptor before it
 * is closed. The array is this object's until {@link #close()}. <b>Failure</b>: a negative errno from {@link #await}.
 * <b>Allocation</b>: at creation only. Source: poll(2).
 */
public final class PollSet implements AutoCloseable {
    static final int SIZE = 8;
    static final int FD_OFFSET = 0;
    static final int EVENTS_OFFSET = 4;
    static final int REVENTS_OFFSET = 6;

    private static final Libc.Call3 POLL = new Libc.Call3(Libc.returningInt("poll"));

    private final NativeBlock pollfds;
    private final int capacity;
    private int count;

    /** A set for at most {@code capacity} descriptors. */
    public PollSet(int capacity) {
        if (capacity < 1) {
            throw new IllegalArgumentException("capacity " + capacity + " is below 1");
        }
        this.capacity = capacity;
        this.pollfds = NativeMemory.allocate((long) capacity * SIZE, 8);
    }

    /** Adds a descriptor with POLL_ events; returns its index. A negative one is passed over, as poll(2) does. */
    public int add(int fd, int events) {
        if (count == capacity) {
            throw new IllegalStateException("poll set is full at " + capacity);
        }
        long element = element(count);
        NativeMemory.putInt(element + FD_OFFSET, fd);
        NativeMemory.putShort(element + EVENTS_OFFSET, (short) events);
        NativeMemory.putShort(element + REVENTS_OFFSET, (short) 0);
        return count++;
    }

    /** Changes the events that the descriptor at {@code index} waits for; 0 leaves errors and hang-up. */
    public void setEvents(int index, int events) {
        NativeMemory.putShort(checked(index) + EVENTS_OFFSET, (short) events);
    }

    /** Removes all descriptors. */
    public void clear() {
        count = 0;
    }

    public int count() {
        return count;
    }

    /** How many descriptors it has room for. */
    public int capacity() {
        return capacity;
    }

    /** Waits; -1 waits forever, 0 does not wait. Returns how many are ready, 0 after the timeout, or a negative errno. */
    public int await(int timeoutMillis) {
        return (int) POLL.call(pollfds.address(), count, timeoutMillis);
    }

    /** The events of the last {@link #await}, POLLERR, POLLHUP and POLLNVAL among them. */
    public int revents(int index) {
        return Short.toUnsignedInt(NativeMemory.getShort(checked(index) + REVENTS_OFFSET));
    }

    public int fd(int index) {
        return NativeMemory.getInt(checked(index) + FD_OFFSET);
    }

    @Override
    public void close() {
        pollfds.close();
    }

    private long checked(int index) {
        return element(Objects.checkIndex(index, count));
    }

    private long element(int index) {
        return pollfds.address() + (long) index * SIZE;
    }
}
