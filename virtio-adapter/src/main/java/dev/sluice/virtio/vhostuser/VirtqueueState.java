package dev.sluice.virtio.vhostuser;

import dev.sluice.virtio.queue.RingAddresses;
import org.jspecify.annotations.Nullable;

/**
 * All that a virtqueue is, but for what its driver keeps in guest memory: a queue that is stopped returns it, and the same or another one, in this process or
 * the next, starts from it over the same memory.
 *
 * @param size descriptors in the ring, 0 before the front end has set it
 * @param addresses where the ring lies, in front-end addresses; null before the front end has set them
 * @param position where to continue, see {@link dev.sluice.virtio.queue.DeviceRing#position}; that of a queue which runs is where it started
 * @param features those by which the ring was started last
 * @param enabled whether requests are taken while it runs
 * @param kickEventFd whether it has a kick eventfd; without one it is polled. The descriptor itself is handed over beside this state
 * @param callEventFd whether it has a call eventfd; as for kick
 * @param errEventFd whether it has an err eventfd; as for kick
 * @param interruptOwed whether its driver may wait for an interrupt that was due, and gets one when the queue starts
 * @param broken whether its driver has violated the ring's rules or its memory has gone, so that it takes a reset to start again
 */
record VirtqueueState(
        int size,
        @Nullable RingAddresses addresses,
        int position,
        long features,
        boolean enabled,
        boolean kickEventFd,
        boolean callEventFd,
        boolean errEventFd,
        boolean interruptOwed,
        boolean broken) {
    /** As a queue is when a front end connects. An interrupt is owed: a back end that has crashed may not have sent it. */
    static final VirtqueueState INITIAL = new VirtqueueState(0, null, 0, 0, false, false, false, false, true, false);

    VirtqueueState withSize(int to) {
        return new VirtqueueState(to, addresses, position, features, enabled, kickEventFd, callEventFd, errEventFd, interruptOwed, broken);
    }

    VirtqueueState withAddresses(RingAddresses to) {
        return new VirtqueueState(size, to, position, features, enabled, kickEventFd, callEventFd, errEventFd, interruptOwed, broken);
    }

    VirtqueueState withPosition(int to) {
        return new VirtqueueState(size, addresses, to, features, enabled, kickEventFd, callEventFd, errEventFd, interruptOwed, broken);
    }

    VirtqueueState withFeatures(long to) {
        return new VirtqueueState(size, addresses, position, to, enabled, kickEventFd, callEventFd, errEventFd, interruptOwed, broken);
    }

    VirtqueueState withEnabled(boolean to) {
        return new VirtqueueState(size, addresses, position, features, to, kickEventFd, callEventFd, errEventFd, interruptOwed, broken);
    }

    VirtqueueState withEventFds(boolean kick, boolean call, boolean err) {
        return new VirtqueueState(size, addresses, position, features, enabled, kick, call, err, interruptOwed, broken);
    }

    VirtqueueState withInterruptOwed(boolean to) {
        return new VirtqueueState(size, addresses, position, features, enabled, kickEventFd, callEventFd, errEventFd, to, broken);
    }

    VirtqueueState withBroken(boolean to) {
        return new VirtqueueState(size, addresses, position, features, enabled, kickEventFd, callEventFd, errEventFd, interruptOwed, to);
    }

    boolean namesEventFdsOf(VirtqueueState other) {
        return kickEventFd == other.kickEventFd && callEventFd == other.callEventFd && errEventFd == other.errEventFd;
    }
}
