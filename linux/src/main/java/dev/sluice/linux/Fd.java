package dev.sluice.linux;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;

/**
 * The one owner of a file descriptor.
 *
 * <p><b>Threading</b>: any thread; of several closers exactly one closes. A number read before another thread
 * closes it may already denote another file: whoever shares an {@code Fd} orders its close after the last use.
 * <b>Ownership</b>: this object's, from {@link #adopt} to {@link #close} or {@link #release}. <b>Failure</b>:
 * {@code IllegalStateException} from {@link #number()} after that; close itself reports nothing, because close(2) has closed
 * the descriptor on Linux even if it returns an error. <b>Allocation</b>: the object. Source: close(2).
 */
public final class Fd implements AutoCloseable {
    private static final Libc.Call1 CLOSE = new Libc.Call1(Libc.returningInt("close"));
    private static final int GONE = -1;
    private static final VarHandle NUMBER;

    static {
        try {
            NUMBER = MethodHandles.lookup().findVarHandle(Fd.class, "number", int.class);
        } catch (ReflectiveOperationException e) {
            throw new ExceptionInInitializerError(e);
        }
    }

    private volatile int number;

    private Fd(int number) {
        this.number = number;
    }

    /** Takes ownership of an open descriptor. Throws {@code IllegalArgumentException} for a negative number (an errno). */
    public static Fd adopt(int number) {
        if (number < 0) {
            throw new IllegalArgumentException("not a file descriptor: " + number);
        }
        return new Fd(number);
    }

    /** Closes a descriptor that has no owner yet. Returns 0 or a negative errno; it is closed in either case. */
    static int closeNumber(int number) {
        return (int) CLOSE.call(number);
    }

    /** The descriptor, for a system call. */
    public int number() {
        int current = number;
        if (current == GONE) {
            throw new IllegalStateException("file descriptor is closed");
        }
        return current;
    }

    public boolean isOpen() {
        return number != GONE;
    }

    /** Releases the ownership without closing: the caller owns the returned number. */
    public int release() {
        int current = (int) NUMBER.getAndSet(this, GONE);
        if (current == GONE) {
            throw new IllegalStateException("file descriptor is closed");
        }
        return current;
    }

    @Override
    public void close() {
        int current = (int) NUMBER.getAndSet(this, GONE);
        if (current != GONE) {
            int _ = closeNumber(current);
        }
    }

    @Override
    public String toString() {
        int current = number;
        return current == GONE ? "Fd[closed]" : "Fd[" + current + "]";
    }
}
