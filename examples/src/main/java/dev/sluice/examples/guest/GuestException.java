package dev.sluice.examples.guest;

import java.io.IOException;

/** A guest could not be prepared, did not boot, or did not end as it should: the message says what to do or what it said last. */
public final class GuestException extends IOException {
    private static final long serialVersionUID = 1L;

    GuestException(String message) {
        super(message);
    }

    GuestException(String message, Throwable cause) {
        super(message, cause);
    }
}
