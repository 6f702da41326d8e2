package dev.sluice.virtio.vhostuser;

import dev.sluice.linux.Errno;
import dev.sluice.linux.EventFd;
import dev.sluice.linux.Fd;
import dev.sluice.linux.LinuxFile;
import dev.sluice.pipeline.BlockPipeline;
import dev.sluice.pipeline.IoLoop;
import dev.sluice.virtio.blk.VirtioBlkDevice;
import dev.sluice.virtio.blk.VirtioBlkQueue;
import dev.sluice.virtio.queue.CallBatch;
import dev.sluice.virtio.queue.DeviceRing;
import dev.sluice.virtio.queue.GuestMemory;
import dev.sluice.virtio.queue.RingAddresses;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * One ring of a connection as the front end sets it up: size, addresses, base, descriptors, and its {@link RingState}.
 *
 * <p><b>Threading:</b> the control thread. <b>Ownership:</b> owns its three eventfds. <b>Failure:</b> {@link ProtocolViolation} for what cannot be, with
 * the ring as it was. Source: vhost-user, "Ring states", "Starting and stopping rings".
 */
final class Vring {
    private static final int MAX_INDEX = 0xFFFF;

    private final int index;
    private final IoLoop loop;
    private final CallBatch calls;
    private final VirtioBlkDevice device;
    private final BlockPipeline pipeline;
    private final int maxSize;
    private final MappingQuarantine quarantine;

    private RingState state = RingState.STOPPED;
    private int size;
    private int base;
    private @Nullable RingAddresses addresses;
    private @Nullable Fd kick;
    private @Nullable Fd call;
    private @Nullable Fd err;
    /** Replaced, and perhaps in use until the ring has stopped. */
    private final List<Fd> leftOver = new ArrayList<>();
    private boolean wantsEnabled;
    /** At first nobody knows: a back end that has crashed may have left it owing. */
    private boolean callOwed = true;
    private @Nullable RunningRing running;
    /** The ring that ran last had been found broken. */
    private boolean broken;

    Vring(int index, IoLoop loop, CallBatch calls, VirtioBlkDevice device, BlockPipeline pipeline, int maxSize, MappingQuarantine quarantine) {
        this.index = index;
        this.loop = loop;
        this.calls = calls;
        this.device = device;
        this.pipeline = pipeline;
        this.maxSize = maxSize;
        this.quarantine = quarantine;
    }

    RingState state() {
        return state;
    }

    /** The ring as it is now; the result may be asked by any thread. */
    Supplier<VhostUserServer.RingSnapshot> snapshot() {
        RunningRing ring = running;
        RingState stateNow = state;
        int sizeNow = size;
        boolean wasBroken = broken;
        return () -> new VhostUserServer.RingSnapshot(index, stateNow, sizeNow, loop.name(), ring != null ? ring.broken() : wasBroken);
    }

    // ---- set-up

    void size(int wanted) throws ProtocolViolation {
        if (state.started() && wanted != size) {
            throw ProtocolViolation.refused("SET_VRING_NUM of queue " + index + " while it is " + state);
        }
        if (wanted < 1 || wanted > maxSize || Integer.bitCount(wanted) != 1) {
            throw ProtocolViolation.refused("SET_VRING_NUM of queue " + index + ": size " + Integer.toUnsignedString(wanted)
                    + " is not a power of two from 1 to " + maxSize);
        }
        size = wanted;
    }

    void base(int wanted) throws ProtocolViolation {
        if (state.started()) {
            throw ProtocolViolation.refused("SET_VRING_BASE of queue " + index + " while it is " + state);
        }
        if (wanted < 0 || wanted > MAX_INDEX) {
            throw ProtocolViolation.refused("SET_VRING_BASE of queue " + index + ": " + Integer.toUnsignedString(wanted) + " is not an index of a split ring");
        }
        base = wanted;
    }

    void addresses(long descriptors, long avail, long used) throws ProtocolViolation {
        RingAddresses wanted;
        try {
            wanted = new RingAddresses(descriptors, avail, used);
        } catch (IllegalArgumentException unaligned) {
            throw ProtocolViolation.refused("SET_VRING_ADDR of queue " + index + ": " + unaligned.getMessage());
        }
        // A front end sends the same addresses again while the ring runs, to change the flags for its dirty log.
        if (state.started() && !wanted.equals(addresses)) {
            throw ProtocolViolation.refused("SET_VRING_ADDR of queue " + index + ": addresses change while it is " + state);
        }
        addresses = wanted;
    }

    /** A kick descriptor, or none for a ring that is polled, starts the ring. Takes the descriptor over, also where it throws. */
    void kick(@Nullable Fd fd, GuestMemory memory) throws ProtocolViolation {
        if (fd != null) {
            ownedEventFd("SET_VRING_KICK", fd);
        }
        RunningRing ring = running;
        if (ring != null) {
            Fd old = kick;
            kick = fd;
            replace(old, () -> ring.kickFd(number(fd)));
            return;
        }
        close(kick);
        kick = fd;
        try {
            start(memory);
        } catch (ProtocolViolation refused) {
            kick = null;
            close(fd);
            throw refused;
        }
    }

    void call(@Nullable Fd fd) throws ProtocolViolation {
        if (fd != null) {
            ownedEventFd("SET_VRING_CALL", fd);
        }
        Fd old = call;
        call = fd;
        RunningRing ring = running;
        // Looked at when the ring starts. One that runs is called at once, and says itself what it owes when it stops.
        callOwed = true;
        replace(old, () -> {
            if (ring != null) {
                ring.callFd(number(call), number(err));
            }
        });
    }

    void err(@Nullable Fd fd) throws ProtocolViolation {
        if (fd != null) {
            ownedEventFd("SET_VRING_ERR", fd);
        }
        Fd old = err;
        err = fd;
        RunningRing ring = running;
        replace(old, () -> {
            if (ring != null) {
                ring.eventFds(number(call), number(err));
            }
        });
    }

    /** Closes a descriptor that another one has replaced, when the loop knows. A loop that could not be told may use it until the ring has stopped. */
    private void replace(@Nullable Fd old, Runnable tellLoop) {
        boolean told = false;
        try {
            tellLoop.run();
            told = true;
        } finally {
            if (told) {
                close(old);
            } else if (old != null) {
                leftOver.add(old);
            }
        }
    }

    /** Only eventfds: anything else could block or be read from a loop. Closes what it refuses. */
    private void ownedEventFd(String message, Fd fd) throws ProtocolViolation {
        if (!EventFd.isEventFd(fd.number()) || LinuxFile.setNonBlocking(fd.number(), true) != 0) {
            String name = LinuxFile.descriptorName(fd.number());
            fd.close();
            throw ProtocolViolation.refused(message + " of queue " + index + ": " + name + " is not an eventfd, or none that can be used without blocking");
        }
    }

    private static int number(@Nullable Fd fd) {
        return fd == null ? VirtioBlkQueue.NO_FD : fd.number();
    }

    private static void close(@Nullable Fd fd) {
        if (fd != null) {
            fd.close();
        }
    }

    // ---- running

    private void start(GuestMemory memory) throws ProtocolViolation {
        RingAddresses where = addresses;
        if (where == null || size == 0) {
            throw ProtocolViolation.refused("queue " + index + " is kicked before its " + (size == 0 ? "size (SET_VRING_NUM)" : "addresses (SET_VRING_ADDR)"));
        }
        try {
            DeviceRing ring = DeviceRing.locate(memory, where, index, size, base, device.accepted());
            VirtioBlkQueue queue = new VirtioBlkQueue(loop, index, device, ring, memory, calls, pipeline.observer(), pipeline.shortcuts());
            if (callOwed) {
                queue.callMayBeOwed();
            }
            RunningRing started = over(queue);
            started.start(pipeline, number(kick), number(call), number(err), wantsEnabled);
            running = started;
            broken = false;
            state = state.to(wantsEnabled ? RingState.ENABLED : RingState.DISABLED);
        } catch (IllegalArgumentException impossible) {
            throw ProtocolViolation.refused("queue " + index + " cannot start: " + impossible.getMessage());
        }
    }

    private RunningRing over(VirtioBlkQueue queue) {
        try {
            return new RunningRing(loop, queue, pipeline.observer(), quarantine);
        } catch (Throwable noMemory) {
            OnLoop.run(loop, queue::close);
            throw noMemory;
        }
    }

    void enable(boolean enable) {
        wantsEnabled = enable;
        RingState wanted = enable ? RingState.ENABLED : RingState.DISABLED;
        RunningRing ring = running;
        if (ring != null && state != wanted) {
            ring.enabled(enable);
            state = state.to(wanted);
        }
    }

    /** A map in which the ring is where it was. */
    void memory(GuestMemory memory) {
        if (running != null) {
            running.memory(memory);
        }
    }

    /** Begins to stop; completed at once where the ring does not run. */
    CompletableFuture<Integer> beginStop() {
        RunningRing ring = running;
        return ring == null ? CompletableFuture.completedFuture(base) : ring.stop();
    }

    /** Waits until what is in flight has completed. The descriptors stay, so that the ring can be {@linkplain #restart started again}. */
    void endStop(CompletableFuture<Integer> stopping) {
        try {
            base = OnLoop.await(stopping, "queue " + index);
        } finally {
            RunningRing ring = running;
            if (ring != null) {
                callOwed = ring.callOwed();
                broken = ring.broken();
                running = null;
                state = state.to(RingState.STOPPED);
            }
        }
    }

    /** Goes on after a stop that the front end did not ask for, in other memory. A broken ring does not: that takes its driver a reset. */
    void restart(GuestMemory memory) throws ProtocolViolation {
        if (!broken) {
            start(memory);
        }
    }

    /** GET_VRING_BASE: drains, stops, and answers where to go on. */
    int stop() {
        endStop(beginStop());
        // vhost-user, "GET_VRING_BASE": the ring stops, and it starts again with new descriptors.
        close(kick);
        kick = null;
        close(call);
        call = null;
        return base;
    }

    /** As it is when a front end connects; the ring is stopped. */
    void reset() {
        closeFds();
        size = 0;
        base = 0;
        addresses = null;
        wantsEnabled = false;
        callOwed = true;
        broken = false;
    }

    /** The end of the connection; the ring is stopped. */
    void closeFds() {
        close(kick);
        close(call);
        close(err);
        leftOver.forEach(Fd::close);
        leftOver.clear();
        kick = null;
        call = null;
        err = null;
    }
}
