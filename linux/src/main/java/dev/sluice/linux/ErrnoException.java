package dev.sluice.linux;

import java.io.IOException;

/**
 * A set-up step failed in a system call. The message names the call, its subject, the errno and the remedy:
 * {@code open /images/disk.raw: EACCES (permission denied): give the user of this process access to it}.
 *
 * <p>Requests never fail this way; a failed request is a negative errno. <b>Threading</b>: immutable.
 */
public final class ErrnoException extends IOException {
    private static final long serialVersionUID = 1L;

    private final int errno;

    /**
     * @param call the system call, {@code "open"}
     * @param subject a path or other name of what the call was made on, or empty
     * @param errno of either sign
     * @param advice the remedy for a person, or empty
     */
    public ErrnoException(String call, String subject, int errno, String advice) {
        super(
                call
                        + (subject.isEmpty() ? "" : " " + subject)
                        + ": "
                        + Errno.describe(errno)
                        + (advice.isEmpty() ? Math.abs(errno) == Errno.EMFILE ? ": " + OpenFileLimit.advice() : "" : ": " + advice));
        this.errno = Math.abs(errno);
    }

    /** The error number, positive. */
    public int errno() {
        return errno;
    }
}
