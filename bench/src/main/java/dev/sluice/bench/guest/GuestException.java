package dev.sluice.bench.guest;

import java.io.IOException;

/** A guest could not be prepared, did not boot, or failed: the message contains the remedy or the guest's last output. */
public final class GuestException extends IOException {
    private static final long serialVersionUID = 1L;

    GuestException(String message) {
        super(message);
    }

    GuestException(String message, Throwable cause) {
        super(message, cause);
    }
}
