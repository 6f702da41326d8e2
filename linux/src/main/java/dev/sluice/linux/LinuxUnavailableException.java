package dev.sluice.linux;

import org.jspecify.annotations.Nullable;

/** System calls cannot be made from this JVM; the message is one line that says what to do. */
public final class LinuxUnavailableException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    LinuxUnavailableException(String message, @Nullable Throwable cause) {
        super(message, cause);
    }
}
