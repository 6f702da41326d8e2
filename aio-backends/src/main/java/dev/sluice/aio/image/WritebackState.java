package dev.sluice.aio.image;

import dev.sluice.linux.Errno;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Whether writeback of an open image has failed. Shared by all sinks of the image.
 *
 * <p>The kernel reports such a failure once for each open file description, by the sync that looks first, and drops the pages: a later sync succeeds although
 * data is gone. A completed FLUSH is a promise, so <b>once a sync has failed, every FLUSH and every durable request fails until the image is reopened.</b>
 *
 * <p>Of two syncs in flight together on one open file, one may take the failure that concerns the other, and the other may complete first. Hence the rule for
 * sinks:
 * <ol>
 *   <li>On one open file there is one sync at a time. Requests that arrive while it runs wait for the next, which serves all of them; requests that were there
 *       before it began share its result.
 *   <li>Sinks on different loops have open files of their own to sync, so that the kernel reports a failure to each of them. Where there is one file for all
 *       (channels of the JDK), rule 1 holds across the loops.
 *   <li>A durable write that bypasses the page cache is synced with it (RWF_DSYNC): the kernel reports the failure of its own data to it. A durable write
 * through
 *       the page cache is a write, then a sync by rule 1.
 *   <li>{@link #failed} is looked at before a FLUSH or a durable request begins, and {@link #synced} decides when it completes.
 * </ol>
 *
 * <p>An error that a sync gives for other reasons than writeback does not count: EAGAIN, EINTR and ECANCELED (it did not run) and EINVAL (this file cannot be
 * synced). The error of a write with RWF_DSYNC may be that of the write or of the sync, which the kernel does not distinguish; it counts, but where only the
 * write can have it.
 *
 * <p><b>Threading:</b> any; one volatile read a FLUSH or durable request. <b>Failure:</b> one log line at the first failure. <b>Allocation:</b> none.
 */
public final class WritebackState {
    private static final Logger LOG = LoggerFactory.getLogger(WritebackState.class);

    private final String image;
    private volatile boolean failed;

    /**
     * Nothing has failed.
     *
     * @param image how the image is named in the log
     */
    public WritebackState(String image) {
        this.image = image;
    }

    /** Whether nothing may be promised any more. */
    public boolean failed() {
        return failed;
    }

    /**
     * A sync has ended.
     *
     * @param result zero or more, or a negative errno
     * @return that result, or -EIO where another sync has failed in the meantime
     */
    public int synced(int result) {
        if (result >= 0) {
            return failed ? -Errno.EIO : result;
        }
        switch (-result) {
            case Errno.EAGAIN, Errno.EINTR, Errno.ECANCELED, Errno.EINVAL -> {}
            default -> fail(result);
        }
        return result;
    }

    /** As {@link #synced}, of a write that is synced by the same call. */
    public int written(int result) {
        return switch (-result) {
            case Errno.EFAULT, Errno.EFBIG, Errno.EOPNOTSUPP -> result;
            default -> synced(result);
        };
    }

    private synchronized void fail(int errno) {
        if (failed) {
            return;
        }
        failed = true;
        LOG.error(
                "image {}: sync failed: {}: data acknowledged since the last successful FLUSH may be lost; every FLUSH and durable write fails from now on:"
                        + " repair the storage, then reopen the image (restart, or remove the disk and add it again) and check the guest's file systems",
                image,
                Errno.describe(errno));
    }
}
