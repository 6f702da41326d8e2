package dev.sluice.pipeline;

import dev.sluice.linux.Errno;

/**
 * How a request or sub-request ended, as stages see it: done, or failed with an errno. A transfer that is OK has moved all of its bytes.
 *
 * <p>Immutable; any thread. <b>Allocation:</b> {@link #failed} and {@link #of} allocate nothing for the errnos of Linux.
 *
 * @param errno 0 or a positive errno
 */
public record BlockResult(int errno) {
    private static final int MAX_ERRNO = 4095;
    /** EHWPOISON, the largest errno of Linux that system calls return. */
    private static final int LAST_KEPT = 133;

    private static final BlockResult[] KEPT = new BlockResult[LAST_KEPT + 1];

    static {
        for (int errno = 0; errno <= LAST_KEPT; errno++) {
            KEPT[errno] = new BlockResult(errno);
        }
    }

    public static final BlockResult OK = KEPT[0];

    public BlockResult {
        if (errno < 0 || errno > MAX_ERRNO) {
            throw new IllegalArgumentException("errno " + errno + " is not from 0 to " + MAX_ERRNO);
        }
    }

    /**
     * The result of what has failed.
     *
     * @param errno positive, such as {@link Errno#EIO}
     */
    public static BlockResult failed(int errno) {
        if (errno <= 0) {
            throw new IllegalArgumentException("errno " + errno + " of a failure is not positive");
        }
        return errno <= LAST_KEPT ? KEPT[errno] : new BlockResult(errno);
    }

    /** The result of a {@link BlockRequest#complete completion}: bytes moved, zero or more, or a negative errno. */
    static BlockResult of(int result) {
        if (result >= 0) {
            return OK;
        }
        return failed(result < -MAX_ERRNO ? Errno.EIO : -result);
    }

    public boolean isOk() {
        return errno == 0;
    }

    /** What the guest sees of it. */
    public BlockStatus status() {
        return BlockStatus.ofResult(-errno);
    }

    /** This result if it is a failure, else the other one: of requests that must all succeed. */
    public BlockResult and(BlockResult other) {
        return isOk() ? other : this;
    }

    @Override
    public String toString() {
        return isOk() ? "OK" : Errno.describe(-errno);
    }
}
