package dev.sluice.aio.retry;

import dev.sluice.linux.Errno;
import dev.sluice.pipeline.Backoff;

/**
 * Tries of one call that the kernel refuses for now (EAGAIN, EINTR, and ECANCELED, which nobody here asks for: io_uring had no thread): a few at once, then
 * with the pauses of {@link Backoff}, after {@value #LIMIT_SECONDS} s an error. A guest sees the error only if the refusal lasts.
 *
 * <p><b>Threading:</b> one thread at a time. <b>Allocation:</b> none.
 */
public final class RetryBackoff {
    public static final int LIMIT_SECONDS = 30;
    static final int TRIES_AT_ONCE = 4;

    /** Instead of a pause. */
    public static final long AT_ONCE = 0;

    /** Instead of a pause: it has been refused for too long. */
    public static final long NEVER = -1;

    private static final long LIMIT_NANOS = LIMIT_SECONDS * 1_000_000_000L;

    private final Backoff pauses = new Backoff();
    private int tries;
    private long firstNanos;

    public static boolean isRefusal(int result) {
        return result == -Errno.EAGAIN || result == -Errno.EINTR || result == -Errno.ECANCELED;
    }

    /** Something has succeeded. */
    public void clear() {
        tries = 0;
        pauses.reset();
    }

    /** Nanoseconds to wait before the next try, {@link #AT_ONCE} or {@link #NEVER}. */
    public long next(long nowNanos) {
        if (tries++ == 0) {
            firstNanos = nowNanos;
        }
        if (tries <= TRIES_AT_ONCE) {
            return AT_ONCE;
        }
        if (nowNanos - firstNanos >= LIMIT_NANOS) {
            return NEVER;
        }
        return pauses.nextPauseNanos();
    }
}
