package dev.sluice.virtio.vhostuser;

import dev.sluice.linux.EventFd;
import dev.sluice.linux.Fd;
import dev.sluice.linux.LinuxFile;
import dev.sluice.virtio.blk.VirtioBlkQueue;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The kick, call and err eventfds of one virtqueue. One that is replaced stays open until the loop no longer uses it.
 *
 * <p><b>Threading:</b> the control thread. <b>Ownership:</b> owns them until {@link #close}; takes a new one over, also where it throws.
 * <b>Failure:</b> {@link ProtocolViolation} for a descriptor that is not an eventfd, which is closed; the one before stays.
 */
final class VirtqueueEventFds {
    private final int queueIndex;
    private @Nullable Fd kick;
    private @Nullable Fd call;
    private @Nullable Fd err;
    /** Replaced, and perhaps in use until the queue has stopped. */
    private final List<Fd> leftOver = new ArrayList<>();

    VirtqueueEventFds(int queueIndex) {
        this.queueIndex = queueIndex;
    }

    /** The number of the kick eventfd, or {@link VirtioBlkQueue#NO_FD}. */
    int kick() {
        return number(kick);
    }

    int call() {
        return number(call);
    }

    int err() {
        return number(err);
    }

    private static int number(@Nullable Fd fd) {
        return fd == null ? VirtioBlkQueue.NO_FD : fd.number();
    }

    /** Sets another one; {@code useIt} has the loop use it in place of the one before. */
    void kick(@Nullable Fd fd, Runnable useIt) throws ProtocolViolation {
        requireEventFd("SET_VRING_KICK", fd);
        Fd old = kick;
        kick = fd;
        replace(old, useIt);
    }

    /** As {@link #kick(Fd, Runnable)}. */
    void call(@Nullable Fd fd, Runnable useIt) throws ProtocolViolation {
        requireEventFd("SET_VRING_CALL", fd);
        Fd old = call;
        call = fd;
        replace(old, useIt);
    }

    /** As {@link #kick(Fd, Runnable)}. */
    void err(@Nullable Fd fd, Runnable useIt) throws ProtocolViolation {
        requireEventFd("SET_VRING_ERR", fd);
        Fd old = err;
        err = fd;
        replace(old, useIt);
    }

    /** A loop that has not taken the new one may use the old one until the queue has stopped. */
    private void replace(@Nullable Fd old, Runnable useIt) {
        boolean replaced = false;
        try {
            useIt.run();
            replaced = true;
        } finally {
            if (replaced) {
                close(old);
            } else if (old != null) {
                leftOver.add(old);
            }
        }
    }

    /** Only eventfds: anything else could block or be read from a loop. */
    private void requireEventFd(String message, @Nullable Fd fd) throws ProtocolViolation {
        if (fd != null && (!EventFd.isEventFd(fd.number()) || LinuxFile.setNonBlocking(fd.number(), true) != 0)) {
            String name = LinuxFile.descriptorName(fd.number());
            fd.close();
            throw ProtocolViolation
                    .refused(message + " of queue " + queueIndex + ": " + name + " is not an eventfd, or none that can be used without blocking");
        }
    }

    void closeKick() {
        close(kick);
        kick = null;
    }

    /** vhost-user, "GET_VRING_BASE": the ring stops, and it starts again with new descriptors. */
    void closeKickAndCall() {
        closeKick();
        close(call);
        call = null;
    }

    /** All of them; the queue is stopped. More may be set afterwards. */
    void close() {
        close(kick);
        close(call);
        close(err);
        leftOver.forEach(Fd::close);
        leftOver.clear();
        kick = null;
        call = null;
        err = null;
    }

    private static void close(@Nullable Fd fd) {
        if (fd != null) {
            fd.close();
        }
    }
}
