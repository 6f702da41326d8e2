package dev.sluice.pipeline;

import org.jspecify.annotations.Nullable;

/**
 * A copy to or from a request's data met memory that the front end has truncated.
 *
 * <p>Where a stage passes it on, by its Mono or by throwing, that one request fails with EFAULT, for the guest IOERR; other requests and disks continue. How
 * much was copied before is not known.
 */
public final class TruncatedMemoryException extends RuntimeException {
    TruncatedMemoryException(String message, InternalError fault) {
        super(message, fault);
    }

    /** Whether this is what a stage or an operator failed on. */
    static boolean isCauseOf(@Nullable Throwable failure) {
        return failure instanceof TruncatedMemoryException;
    }
}
