package dev.sluice.linux;

import java.util.Objects;

/**
 * The descriptors that arrived with messages, owned until they are taken.
 *
 * <p>{@link UnixSocket#receive} appends to it; when it is full the kernel drops further descriptors and
 * {@link #truncated()} is set. So its capacity bounds the number of descriptors that a peer can make this process hold.
 *
 * <p><b>Threading</b>: one thread. <b>Ownership</b>: every descriptor is this object's until {@link #take};
 * {@link #close()} closes those not taken and leaves the object empty and ready for the next message.
 * <b>Failure</b>: {@code IllegalStateException} from taking twice. <b>Allocation</b>: at creation, and the {@code Fd} at
 * a take.
 */
public final class ReceivedFds implements AutoCloseable {
    /** The maximum number of descriptors in one message (SCM_MAX_FD). */
    public static final int MAX_PER_MESSAGE = 253;

    private static final int TAKEN = -1;

    private final int[] numbers;
    private int count;
    private boolean truncated;

    /** With room for as many as one message carries. */
    public ReceivedFds() {
        this(MAX_PER_MESSAGE);
    }

    public ReceivedFds(int capacity) {
        if (capacity < 0 || capacity > MAX_PER_MESSAGE) {
            throw new IllegalArgumentException("capacity " + capacity + " is not in 0.." + MAX_PER_MESSAGE);
        }
        this.numbers = new int[capacity];
    }

    /** How many were received since the last close, including those taken. */
    public int count() {
        return count;
    }

    /** Whether the kernel dropped descriptors because there was no room (MSG_CTRUNC). */
    public boolean truncated() {
        return truncated;
    }

    /** Transfers the ownership of one to the caller. */
    public Fd take(int index) {
        Objects.checkIndex(index, count);
        int number = numbers[index];
        if (number == TAKEN) {
            throw new IllegalStateException("received descriptor " + index + " was taken already");
        }
        Fd fd = Fd.adopt(number);
        numbers[index] = TAKEN;
        return fd;
    }

    /** Closes what was not taken. */
    @Override
    public void close() {
        for (int i = 0; i < count; i++) {
            if (numbers[i] != TAKEN) {
                int _ = Fd.closeNumber(numbers[i]);
            }
        }
        count = 0;
        truncated = false;
    }

    int remaining() {
        return numbers.length - count;
    }

    /** Appends one; the room was checked by offering the kernel no more than {@link #remaining()}. */
    void append(int number) {
        numbers[count++] = number;
    }

    void markTruncated() {
        truncated = true;
    }
}
