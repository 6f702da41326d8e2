package dev.sluice.aio.sink;

import dev.sluice.linux.Errno;

/**
 * How often the kernel has said "not now" (EAGAIN, EINTR, and ECANCELED, which nobody here asks for: io_uring had no thread) to one request, and what follows: a few tries at once, then with pauses that
 * double from 1 ms to 128 ms, after {@value #LIMIT_SECONDS} s an error. A guest sees the error only where the refusal lasts.
 *
 * <p><b>Threading:</b> the loop's. <b>Allocation:</b> none.
 */
final class Refusals {
    static final int LIMIT_SECONDS = 30;
    static final int TRIES_AT_ONCE = 4;

    static final long AT_ONCE = 0;
    static final long NEVER = -1;

    private static final long LIMIT_NANOS = LIMIT_SECONDS * 1_000_000_000L;
    private static final long FIRST_PAUSE_NANOS = 1_000_000;
    private static final int MOST_DOUBLINGS = 7;

    private int tries;
    private long firstNanos;

    static boolean isRefusal(int result) {
        return result == -Errno.EAGAIN || result == -Errno.EINTR || result == -Errno.ECANCELED;
    }

    /** Something has moved. */
    void clear() {
        tries = 0;
    }

    /** Nanoseconds to wait before the next try, {@link #AT_ONCE} or {@link #NEVER}. */
    long next(long nowNanos) {
        if (tries++ == 0) {
            firstNanos = nowNanos;
        }
        if (tries <= TRIES_AT_ONCE) {
            return AT_ONCE;
        }
        if (nowNanos - firstNanos >= LIMIT_NANOS) {
            return NEVER;
        }
        return FIRST_PAUSE_NANOS << Math.min(tries - TRIES_AT_ONCE - 1, MOST_DOUBLINGS);
    }
}
