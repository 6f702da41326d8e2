package dev.sluice.virtio.vhostuser;

import java.util.Objects;

/**
 * The front end broke a rule; the message says which, in one line.
 *
 * <p>Where it asked for replies to its messages, one that left nothing half done gets a reply that says it failed, and the connection continues. All
 * others end the connection.
 */
final class ProtocolViolation extends Exception {
    private static final long serialVersionUID = 1L;

    private final boolean fatal;

    private ProtocolViolation(String rule, boolean fatal) {
        super(rule);
        this.fatal = fatal;
    }

    /** The message is refused; nothing has changed. */
    static ProtocolViolation refused(String rule) {
        return new ProtocolViolation(rule, false);
    }

    /** There is no going on. */
    static ProtocolViolation fatal(String rule) {
        return new ProtocolViolation(rule, true);
    }

    boolean isFatal() {
        return fatal;
    }

    String rule() {
        return Objects.requireNonNull(getMessage());
    }
}
