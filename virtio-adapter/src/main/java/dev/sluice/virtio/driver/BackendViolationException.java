package dev.sluice.virtio.driver;

/**
 * A backend broke a rule of the virtqueue or of vhost-user: its used ring is invalid, or it replied to what was not asked.
 * The queue or connection is of no use any more; its memory may still be written to.
 */
public final class BackendViolationException extends IllegalStateException {
    private static final long serialVersionUID = 1L;

    /** The message names the rule and the values that broke it. */
    public BackendViolationException(String message) {
        super(message);
    }
}
