package dev.sluice.virtio.driver;

import java.io.IOException;

/** The backend replied to a message of the set-up with an error, or not as the protocol wants. */
public final class BackendRefusedException extends IOException {
    private static final long serialVersionUID = 1L;

    /** The message names the request and the reply. */
    public BackendRefusedException(String message) {
        super(message);
    }
}
