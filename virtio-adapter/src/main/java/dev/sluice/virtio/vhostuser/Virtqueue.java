package dev.sluice.virtio.vhostuser;

import dev.sluice.linux.Fd;
import dev.sluice.pipeline.BlockPipeline;
import dev.sluice.pipeline.IoLoop;
import dev.sluice.pipeline.OnLoop;
import dev.sluice.pipeline.PipelineObserver.QueueEvent;
import dev.sluice.pipeline.QueueGroup;
import dev.sluice.pipeline.QueueSource;
import dev.sluice.virtio.blk.GuardedObserver;
import dev.sluice.virtio.blk.VirtioBlkDevice;
import dev.sluice.virtio.blk.VirtioBlkQueue;
import dev.sluice.virtio.queue.CallBatch;
import dev.sluice.virtio.queue.DeviceRing;
import dev.sluice.virtio.queue.GuestMemory;
import dev.sluice.virtio.queue.RingAddresses;
import java.util.concurrent.CompletableFuture;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * One virtqueue of a connection: its {@link VirtqueueState}, its eventfds and, from start to drained, what serves it on its loop.
 *
 * <p>To stop, to start again with other memory, and to hand over are one operation: {@link #endStop} returns the state, {@link #start} takes it.
 *
 * <p><b>Threading:</b> the control thread. What is done on the loop is done when a method returns, but for {@link #beginStop}. <b>Ownership:</b> owns its
 * eventfds, and keeps them open while the loop uses them. <b>Failure:</b> {@link ProtocolViolation} for what cannot be, with
 * the queue as it was. Source: vhost-user, "Ring states", "Starting and stopping rings".
 */
final class Virtqueue {
    /** What serves a started ring, on its loop. */
    private record Running(VirtioBlkQueue queue, QueueSource source, KickWatch kicks) {}

    private final int index;
    private final IoLoop loop;
    private final CallBatch calls;
    private final VirtioBlkDevice device;
    private final BlockPipeline pipeline;
    private final QueueGroup group;
    private final GuardedObserver observer;
    private final int maxSize;
    private final MappingQuarantine quarantine;
    private final VirtqueueEventFds eventFds;

    /** All of it but which eventfds there are: {@link #eventFds} has them. */
    private VirtqueueState state = VirtqueueState.INITIAL;
    private RingState ringState = RingState.STOPPED;
    private @Nullable Running running;

    /** @param group the queues of the front end that run, which are paused together */
    Virtqueue(
            int index,
            IoLoop loop,
            CallBatch calls,
            VirtioBlkDevice device,
            BlockPipeline pipeline,
            QueueGroup group,
            int maxSize,
            MappingQuarantine quarantine) {
        this.index = index;
        this.loop = loop;
        this.calls = calls;
        this.device = device;
        this.pipeline = pipeline;
        this.group = group;
        this.observer = new GuardedObserver(pipeline.observer(), index);
        this.maxSize = maxSize;
        this.quarantine = quarantine;
        this.eventFds = new VirtqueueEventFds(index);
    }

    RingState ringState() {
        return ringState;
    }

    /** What it would be started from: of a queue that runs, all but the position and what the driver is owed. */
    VirtqueueState state() {
        return state.withEventFds(
                eventFds.kick() != VirtioBlkQueue.NO_FD, eventFds.call() != VirtioBlkQueue.NO_FD, eventFds.err() != VirtioBlkQueue.NO_FD);
    }

    /** The ring as it is now; the result may be asked by any thread. */
    Supplier<VhostUserServer.RingSnapshot> snapshot() {
        Running now = running;
        RingState ringStateNow = ringState;
        VirtqueueState stateNow = state;
        return () -> new VhostUserServer.RingSnapshot(
                index, ringStateNow, stateNow.size(), loop.name(), now != null ? now.queue().broken() : stateNow.broken());
    }

    // ---- set-up

    void size(int wanted) throws ProtocolViolation {
        if (ringState.started() && wanted != state.size()) {
            throw ProtocolViolation.refused("SET_VRING_NUM of queue " + index + " while it is " + ringState);
        }
        if (wanted < 1 || wanted > maxSize || Integer.bitCount(wanted) != 1) {
            throw ProtocolViolation.refused("SET_VRING_NUM of queue " + index + ": size " + Integer.toUnsignedString(wanted)
                    + " is not a power of two from 1 to " + maxSize);
        }
        state = state.withSize(wanted);
    }

    void position(int wanted) throws ProtocolViolation {
        if (ringState.started()) {
            throw ProtocolViolation.refused("SET_VRING_BASE of queue " + index + " while it is " + ringState);
        }
        try {
            DeviceRing.requirePosition(wanted, device.accepted());
        } catch (IllegalArgumentException impossible) {
            throw ProtocolViolation.refused("SET_VRING_BASE of queue " + index + ": " + impossible.getMessage());
        }
        state = state.withPosition(wanted);
    }

    void addresses(long descriptors, long avail, long used) throws ProtocolViolation {
        RingAddresses wanted;
        try {
            wanted = new RingAddresses(descriptors, avail, used);
        } catch (IllegalArgumentException unaligned) {
            throw ProtocolViolation.refused("SET_VRING_ADDR of queue " + index + ": " + unaligned.getMessage());
        }
        // A front end sends the same addresses again while the ring runs, to change the flags for its dirty log.
        if (ringState.started() && !wanted.equals(state.addresses())) {
            throw ProtocolViolation.refused("SET_VRING_ADDR of queue " + index + ": addresses change while it is " + ringState);
        }
        state = state.withAddresses(wanted);
    }

    void enable(boolean enable) {
        state = state.withEnabled(enable);
        RingState wanted = enable ? RingState.ENABLED : RingState.DISABLED;
        Running now = running;
        if (now != null && ringState != wanted) {
            OnLoop.run(loop, () -> now.queue().enabled(enable));
            ringState = ringState.to(wanted);
        }
    }

    /** A map in which the ring is where it was. */
    void memory(GuestMemory memory) {
        Running now = running;
        if (now != null) {
            OnLoop.run(loop, () -> now.queue().memory(memory));
        }
    }

    // ---- eventfds

    /** A kick eventfd, or none for a ring that is polled, starts the ring. Takes the descriptor over, also where it throws. */
    void kick(@Nullable Fd fd, GuestMemory memory) throws ProtocolViolation {
        Running now = running;
        eventFds.kick(fd, () -> {
            if (now != null) {
                OnLoop.run(loop, () -> {
                    now.kicks().listen(eventFds.kick());
                    // The one before may have been signalled.
                    now.source().kicked();
                });
            }
        });
        if (now == null) {
            try {
                start(state().withFeatures(device.accepted()).withBroken(false), memory);
            } catch (ProtocolViolation refused) {
                eventFds.closeKick();
                throw refused;
            }
        }
    }

    /** With a call eventfd the driver gets an interrupt, whether one was due or not: at once, or when the ring starts. */
    void call(@Nullable Fd fd) throws ProtocolViolation {
        Running now = running;
        eventFds.call(fd, () -> {
            // What a ring that runs owes is known when it stops.
            state = state.withInterruptOwed(true);
            if (now != null) {
                OnLoop.run(loop, () -> {
                    now.queue().eventFds(eventFds.call(), eventFds.err());
                    if (eventFds.call() != VirtioBlkQueue.NO_FD) {
                        now.queue().callFdCame();
                    }
                });
            }
        });
    }

    void err(@Nullable Fd fd) throws ProtocolViolation {
        Running now = running;
        eventFds.err(fd, () -> {
            if (now != null) {
                OnLoop.run(loop, () -> now.queue().eventFds(eventFds.call(), eventFds.err()));
            }
        });
    }

    /** The eventfds of a queue that continues what another one has served; it is stopped, and has none. */
    void takeOver(@Nullable Fd kick, @Nullable Fd call, @Nullable Fd err) throws ProtocolViolation {
        eventFds.kick(kick, () -> {});
        eventFds.call(call, () -> {});
        eventFds.err(err, () -> {});
    }

    // ---- start

    /**
     * Serves the ring from this state on, over memory in which it is where its addresses say. The eventfds are there that the state names. A broken queue does
     * not start: that takes its driver a reset, and another kick eventfd.
     */
    void start(VirtqueueState from, GuestMemory memory) throws ProtocolViolation {
        if (from.broken()) {
            return;
        }
        RingAddresses addresses = from.addresses();
        if (addresses == null || from.size() == 0) {
            throw ProtocolViolation.refused(
                    "queue " + index + " is kicked before its " + (from.size() == 0 ? "size (SET_VRING_NUM)" : "addresses (SET_VRING_ADDR)"));
        }
        if (!from.namesEventFdsOf(state())) {
            throw new IllegalStateException(
                    "queue " + index + " has other eventfds than the state that it is to start from: " + state() + " has, " + from + " names");
        }
        try {
            DeviceRing ring = DeviceRing.locate(memory, addresses, index, from.size(), from.position(), from.features());
            VirtioBlkQueue queue = new VirtioBlkQueue(loop, index, device, ring, memory, calls, pipeline.observer());
            if (from.interruptOwed()) {
                queue.callMayBeOwed();
            }
            Running started = running(queue);
            OnLoop.run(loop, () -> startOnLoop(started, from.enabled()));
            running = started;
        } catch (IllegalArgumentException impossible) {
            throw ProtocolViolation.refused("queue " + index + " cannot start: " + impossible.getMessage());
        }
        state = from;
        ringState = ringState.to(from.enabled() ? RingState.ENABLED : RingState.DISABLED);
    }

    private Running running(VirtioBlkQueue queue) {
        try {
            QueueSource source = new QueueSource(loop, queue);
            return new Running(queue, source, new KickWatch(loop, queue, source, observer));
        } catch (Throwable noMemory) {
            OnLoop.run(loop, queue::close);
            throw noMemory;
        }
    }

    /** A kick may have come before, so the queue gets a turn in any case. */
    private void startOnLoop(Running started, boolean enabled) {
        VirtioBlkQueue queue = started.queue();
        QueueSource source = started.source();
        try {
            queue.eventFds(eventFds.call(), eventFds.err());
            pipeline.connect(source);
            group.join(source);
            queue.start(source::kicked);
            started.kicks().listen(eventFds.kick());
            queue.enabled(enabled);
            source.kicked();
        } catch (Throwable failed) {
            // Turns come after this task, so nothing is in flight and the queue is freed here.
            group.leave(source);
            started.kicks().close();
            queue.eventFds(VirtioBlkQueue.NO_FD, VirtioBlkQueue.NO_FD);
            source.stop(queue::close);
            throw failed;
        }
        observer.queueEvent(QueueEvent.STARTED);
    }

    // ---- stop

    /**
     * Begins to stop: takes nothing new, waits for what is in flight, shows the driver the last of it and frees the queue. Completes with the position, at once
     * if the ring does not run; nothing touches guest memory or the eventfds afterwards, but stages that had requests beyond the drain limit, for which the
     * quarantine keeps the memory. Completes exceptionally if something has failed on the way, drained all the same.
     */
    CompletableFuture<Integer> beginStop() {
        Running ending = running;
        if (ending == null) {
            return CompletableFuture.completedFuture(state.position());
        }
        CompletableFuture<Integer> stopped = new CompletableFuture<>();
        loop.execute(() -> {
            try {
                ending.kicks().close();
                ending.source().stop(() -> drained(ending, stopped, null));
            } catch (Throwable failed) {
                // An operator that fails on the end of the Flux, say. The kernel may still write to guest memory, so the wait continues.
                ending.source().stop(() -> drained(ending, stopped, failed));
            }
        });
        return stopped;
    }

    private void drained(Running ending, CompletableFuture<Integer> stopped, @Nullable Throwable before) {
        VirtioBlkQueue queue = ending.queue();
        group.leave(ending.source());
        Throwable failure = before;
        try {
            try {
                queue.publishNow();
                queue.eventFds(VirtioBlkQueue.NO_FD, VirtioBlkQueue.NO_FD);
            } finally {
                quarantine.hold();
                ending.source().whenReleased(() -> released(queue));
            }
        } catch (Throwable failed) {
            failure = failed;
        }
        observer.queueEvent(QueueEvent.STOPPED);
        if (failure == null) {
            stopped.complete(queue.position());
        } else {
            stopped.completeExceptionally(failure);
        }
    }

    private void released(VirtioBlkQueue queue) {
        try {
            queue.close();
        } finally {
            quarantine.release();
        }
    }

    /** Waits until what is in flight has completed. The eventfds stay, so that the queue can be {@linkplain #start started again} from what this returns. */
    VirtqueueState endStop(CompletableFuture<Integer> stopping) {
        try {
            state = state.withPosition(OnLoop.await(stopping, "queue " + index));
        } finally {
            Running ended = running;
            if (ended != null) {
                state = state.withInterruptOwed(ended.queue().callOwed()).withBroken(ended.queue().broken());
                running = null;
                ringState = ringState.to(RingState.STOPPED);
            }
        }
        return state();
    }

    /** GET_VRING_BASE: drains, stops, and returns where to continue. */
    VirtqueueState stop() {
        VirtqueueState stopped = endStop(beginStop());
        eventFds.closeKickAndCall();
        return stopped;
    }

    /** As it is when a front end connects; the queue is stopped. */
    void reset() {
        closeFds();
        state = VirtqueueState.INITIAL;
    }

    /** The end of the connection; the queue is stopped. */
    void closeFds() {
        eventFds.close();
    }
}
