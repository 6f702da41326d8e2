package dev.sluice.virtio.vhostuser;

/**
 * Whether a ring is worked on. vhost-user, "Ring states".
 *
 * <pre>
 * STOPPED  -> DISABLED  a kick descriptor has come
 * STOPPED  -> ENABLED   the same, where the ring had been enabled before
 * DISABLED -> ENABLED   SET_VRING_ENABLE 1
 * ENABLED  -> DISABLED  SET_VRING_ENABLE 0: what is in flight still completes, nothing new is taken
 * DISABLED -> STOPPED   GET_VRING_BASE, a change of memory, the end of the connection
 * ENABLED  -> STOPPED   the same
 * </pre>
 */
public enum RingState {
    STOPPED,
    DISABLED,
    ENABLED;

    RingState to(RingState next) {
        if (this == next) {
            throw new IllegalStateException("a ring that is " + this + " cannot become " + next);
        }
        return next;
    }

    boolean started() {
        return this != STOPPED;
    }
}
