package dev.sluice.linux;

import org.jspecify.annotations.Nullable;

/** System calls cannot be made from this JVM; the message is one line with the remedy. */
public final class LinuxUnavailableException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    LinuxUnavailableException(String message, @Nullable Throwable cause) {
        super(message, cause);
    }
}
