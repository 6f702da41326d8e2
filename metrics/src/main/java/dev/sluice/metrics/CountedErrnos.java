package dev.sluice.metrics;

import dev.sluice.linux.Errno;
import dev.sluice.pipeline.BlockStatus;

/**
 * The errnos that have a counter of their own; all others share one. The set is fixed, so the number of series is fixed and each series exists, at
 * zero, before the first error.
 *
 * <p>Layout only. <b>Threading</b>: any. <b>Allocation</b>: none.
 */
final class CountedErrnos {
    private static final int[] ERRNOS = {
        Errno.EIO, Errno.ENOSPC, Errno.EDQUOT, Errno.EROFS, Errno.EINVAL, Errno.EFAULT, Errno.ENOMEM, Errno.ETIMEDOUT,
        Errno.ECANCELED, Errno.ESHUTDOWN, Errno.EOPNOTSUPP
    };

    /** The counted errnos, plus one counter for the rest. */
    static final int COUNT = ERRNOS.length + 1;

    private CountedErrnos() {}

    /** The index of the counter of a positive errno. */
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

    /** The completion status that the guest sees. */
    static BlockStatus status(int index) {
        return index < ERRNOS.length ? BlockStatus.ofResult(-ERRNOS[index]) : BlockStatus.IOERR;
    }
}
