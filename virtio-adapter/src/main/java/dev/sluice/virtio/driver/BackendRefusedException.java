package dev.sluice.virtio.driver;

import java.io.IOException;

/** The backend answered a message of the set-up with an error, or did not answer it as the protocol wants. */
public final class BackendRefusedException extends IOException {
    private static final long serialVersionUID = 1L;

    /** The message names the request and the answer. */
    public BackendRefusedException(String message) {
        super(message);
    }
}
