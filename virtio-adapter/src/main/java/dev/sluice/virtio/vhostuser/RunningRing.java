package dev.sluice.virtio.vhostuser;

import dev.sluice.pipeline.BlockPipeline;
import dev.sluice.pipeline.IoLoop;
import dev.sluice.pipeline.PipelineObserver;
import dev.sluice.pipeline.PipelineObserver.QueueEvent;
import dev.sluice.pipeline.QueueSource;
import dev.sluice.virtio.blk.GuardedObserver;
import dev.sluice.virtio.blk.VirtioBlkQueue;
import dev.sluice.virtio.queue.GuestMemory;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;

/**
 * A started ring on its loop: queue, source and the watch on the kick descriptor, from start to drained. Where the front end gave no descriptor
 * (vhost-user, "SET_VRING_KICK": polling) a timer takes the place of the watch.
 *
 * <p><b>Threading:</b> the control thread calls; what is done is done on the loop, and all methods but {@link #stop} return when it is done.
 * <b>Ownership:</b> the descriptors stay the {@link Vring}'s, who keeps them open until {@link #stop} has completed.
 */
final class RunningRing {
    /** How often a ring without a kick descriptor is looked at: what a request may wait there, and 2000 wake-ups a second of an idle loop. */
    static final long POLL_INTERVAL_NANOS = 500_000;

    private final Runnable poll = this::poll;
    private final IoLoop loop;
    private final VirtioBlkQueue queue;
    private final QueueSource source;
    private final GuardedObserver observer;
    private final MappingQuarantine quarantine;
    private IoLoop.@Nullable Watch watch;
    private boolean polling;
    private boolean pollScheduled;

    RunningRing(IoLoop loop, VirtioBlkQueue queue, PipelineObserver observer, MappingQuarantine quarantine) {
        this.quarantine = quarantine;
        this.loop = loop;
        this.queue = queue;
        this.source = new QueueSource(loop, queue);
        this.observer = new GuardedObserver(observer, queue.index());
    }

    /** Starts; a kick may have come before, so the ring is looked at in any case. */
    void start(BlockPipeline pipeline, int kickFd, int callFd, int errFd, boolean enabled) {
        OnLoop.run(loop, () -> {
            try {
                queue.eventFds(callFd, errFd);
                pipeline.connect(source);
                queue.start(source::kicked);
                listen(kickFd);
                queue.enabled(enabled);
                source.kicked();
            } catch (Throwable failed) {
                undoStart();
                throw failed;
            }
            observer.queueEvent(QueueEvent.STARTED);
        });
    }

    /** Turns come after this task, so nothing is in flight and the queue is freed here. */
    private void undoStart() {
        closeWatch();
        queue.eventFds(VirtioBlkQueue.NO_FD, VirtioBlkQueue.NO_FD);
        source.stop(queue::close);
    }

    private void kicked() {
        source.kicked();
        observer.kicked();
    }

    void kickFd(int kickFd) {
        OnLoop.run(loop, () -> {
            closeWatch();
            listen(kickFd);
            source.kicked();
        });
    }

    private void listen(int kickFd) {
        if (kickFd == VirtioBlkQueue.NO_FD) {
            polling = true;
            schedulePoll();
        } else {
            watch = loop.onReadable(kickFd, this::kicked);
        }
        queue.polled(polling);
    }

    private void poll() {
        pollScheduled = false;
        if (polling) {
            source.kicked();
            schedulePoll();
        }
    }

    /** One timer at a time, however often the front end changes its mind. */
    private void schedulePoll() {
        if (!pollScheduled) {
            pollScheduled = true;
            loop.schedule(poll, POLL_INTERVAL_NANOS);
        }
    }

    void eventFds(int callFd, int errFd) {
        OnLoop.run(loop, () -> queue.eventFds(callFd, errFd));
    }

    /** With the call eventfd that has just come, or none. */
    void callFd(int callFd, int errFd) {
        OnLoop.run(loop, () -> {
            queue.eventFds(callFd, errFd);
            if (callFd != VirtioBlkQueue.NO_FD) {
                queue.callFdCame();
            }
        });
    }

    void enabled(boolean enabled) {
        OnLoop.run(loop, () -> queue.enabled(enabled));
    }

    void memory(GuestMemory memory) {
        OnLoop.run(loop, () -> queue.memory(memory));
    }

    boolean broken() {
        return queue.broken();
    }

    /** Once stopped: whether the driver has not been told of all that was used. */
    boolean callOwed() {
        return queue.callOwed();
    }

    /**
     * Takes nothing new, waits for what is in flight, shows the driver the last of it and frees the queue. Completes with the index of the
     * next head to take; nothing touches guest memory or the descriptors afterwards, but stages that had requests beyond the drain limit, for which the quarantine
     * keeps the memory. Completes exceptionally where something has failed on the way, drained all the same.
     */
    CompletableFuture<Integer> stop() {
        CompletableFuture<Integer> stopped = new CompletableFuture<>();
        loop.execute(() -> {
            try {
                closeWatch();
                source.stop(() -> drained(stopped, null));
            } catch (Throwable failed) {
                // The end of the Flux told to the operators, say. The kernel may still write to guest memory, so the wait goes on.
                source.stop(() -> drained(stopped, failed));
            }
        });
        return stopped;
    }

    private void drained(CompletableFuture<Integer> stopped, @Nullable Throwable before) {
        Throwable failure = before;
        try {
            try {
                queue.publishNow();
                queue.eventFds(VirtioBlkQueue.NO_FD, VirtioBlkQueue.NO_FD);
            } finally {
                quarantine.hold();
                source.whenReleased(this::released);
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

    private void released() {
        try {
            queue.close();
        } finally {
            quarantine.release();
        }
    }

    private void closeWatch() {
        polling = false;
        IoLoop.Watch current = watch;
        watch = null;
        if (current != null) {
            current.close();
        }
    }
}
