package dev.sluice.server.cli;

/** A command cannot do what it was asked to; the message is one line for a person, with the remedy. */
public final class LaunchException extends RuntimeException {
    public LaunchException(String message) {
        super(message);
    }

    public LaunchException(String message, Throwable cause) {
        super(message, cause);
    }
}
