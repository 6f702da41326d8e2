package dev.sluice.pipeline.testing;

import dev.sluice.linux.Errno;
import java.util.SplittableRandom;

/**
 * The seam between a sink and its system calls: each result passes through here, and a test puts its own in the kernel's place. What the kernel is
 * free to do (refuse, stop short, fail) then happens as often as the test wants. The calls themselves are made all the same.
 *
 * <p><b>Threading:</b> any; one call at a time, so that a fault needs no care of its own.
 */
public final class SystemCallFaults {
    /** What is asked of the kernel. */
    public enum Call {
        READ,
        WRITE,
        SYNC,
        /** fallocate(2) and what stands in for it: punching holes, zeroing ranges. */
        ALLOCATE;

        /** Whether its result is a number of bytes. */
        public boolean transfers() {
            return this == READ || this == WRITE;
        }
    }

    /** Decides what a call has given. */
    @FunctionalInterface
    public interface Fault {
        /**
         * The result that the sink sees.
         *
         * @param result the kernel's: bytes moved, zero or a negative errno
         */
        int result(Call call, int result);
    }

    /** The kernel's word. */
    public static final Fault NONE = (call, result) -> result;

    private Fault fault = NONE;
    private long calls;
    private long injected;

    /** From now on this happens. Counts begin again. */
    public synchronized void inject(Fault chosen) {
        fault = chosen;
        calls = 0;
        injected = 0;
    }

    /** For the sink: what a call has given. */
    public synchronized int result(Call call, int result) {
        calls++;
        int seen = fault.result(call, result);
        if (seen != result) {
            injected++;
        }
        return seen;
    }

    /** Calls since {@link #inject}. */
    public synchronized long calls() {
        return calls;
    }

    /** Results that were changed since {@link #inject}. */
    public synchronized long injected() {
        return injected;
    }

    // ---- faults

    /** Every call of a kind gives this. */
    public static Fault always(Call kind, int result) {
        return (call, real) -> call == kind ? result : real;
    }

    /** The first calls give this, whatever they are; those behind them what they give. */
    public static Fault first(int count, int result) {
        return new Fault() {
            private int left = count;

            @Override
            public int result(Call call, int real) {
                return left-- > 0 ? result : real;
            }
        };
    }

    /** No transfer moves more than so many bytes. */
    public static Fault atMost(int bytes) {
        return (call, result) -> call.transfers() ? Math.min(result, bytes) : result;
    }

    /** Refuses one call in eight, and stops one transfer in three at any byte or sector: nothing that a guest may notice. */
    public static Fault unreliable(long seed) {
        SplittableRandom random = new SplittableRandom(seed);
        return (call, result) -> {
            if (random.nextInt(8) == 0) {
                return random.nextBoolean() ? -Errno.EAGAIN : -Errno.EINTR;
            }
            if (call.transfers() && result > 1 && random.nextInt(3) == 0) {
                int unit = random.nextBoolean() ? 1 : 512;
                return result > unit ? random.nextInt(1, result / unit + 1) * unit : result;
            }
            return result;
        };
    }
}
