package dev.sluice.metrics;

import dev.sluice.linux.Errno;
import dev.sluice.pipeline.BlockStatus;

/**
 * The errnos that have a counter of their own; all others share one. A fixed set, so that the number of series is fixed and each is there, at zero,
 * before the first error.
 *
 * <p>Layout only. <b>Threading</b>: any. <b>Allocation</b>: none.
 */
final class CountedErrnos {
    private static final int[] ERRNOS = {
        Errno.EIO, Errno.ENOSPC, Errno.EDQUOT, Errno.EROFS, Errno.EINVAL, Errno.EFAULT, Errno.ENOMEM, Errno.ETIMEDOUT, Errno.ECANCELED, Errno.ESHUTDOWN, Errno.EOPNOTSUPP
    };

    /** All that are counted, and the one for the rest. */
    static final int COUNT = ERRNOS.length + 1;

    private CountedErrnos() {}

    /** The counter of a positive errno. */
    static int indexOf(int errno) {
        for (int i = 0; i < ERRNOS.length; i++) {
            if (ERRNOS[i] == errno) {
                return i;
            }
        }
        return ERRNOS.length;
    }

    static String name(int index) {
        return index < ERRNOS.length ? Errno.name(ERRNOS[index]) : "other";
    }

    /** What the guest is told. */
    static BlockStatus status(int index) {
        return index < ERRNOS.length ? BlockStatus.ofResult(-ERRNOS[index]) : BlockStatus.IOERR;
    }
}
