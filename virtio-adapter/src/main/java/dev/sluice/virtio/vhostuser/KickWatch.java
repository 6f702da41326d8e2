package dev.sluice.virtio.vhostuser;

import dev.sluice.pipeline.IoLoop;
import dev.sluice.pipeline.QueueSource;
import dev.sluice.virtio.blk.GuardedObserver;
import dev.sluice.virtio.blk.VirtioBlkQueue;
import org.jspecify.annotations.Nullable;

/**
 * What gives a running queue its turns: the watch on its kick eventfd or, if the front end gave none (vhost-user, "SET_VRING_KICK": polling), a timer.
 *
 * <p><b>Threading:</b> the queue's loop. <b>Ownership:</b> the eventfd stays the {@link Virtqueue}'s, which keeps it open until this is closed.
 */
final class KickWatch implements AutoCloseable {
    /** How often a ring without a kick eventfd is polled: what a request may wait there, and 2000 wake-ups a second of an idle loop. */
    static final long POLL_INTERVAL_NANOS = 500_000;

    private final Runnable poll = this::poll;
    private final IoLoop loop;
    private final VirtioBlkQueue queue;
    private final QueueSource source;
    private final GuardedObserver observer;
    private IoLoop.@Nullable Watch watch;
    private boolean polling;
    private boolean pollScheduled;

    KickWatch(IoLoop loop, VirtioBlkQueue queue, QueueSource source, GuardedObserver observer) {
        this.loop = loop;
        this.queue = queue;
        this.source = source;
        this.observer = observer;
    }

    /** Watches this eventfd and no other, or polls without one. A kick may have come before: the caller gives the queue a turn. */
    void listen(int kickFd) {
        close();
        if (kickFd == VirtioBlkQueue.NO_FD) {
            polling = true;
            schedulePoll();
        } else {
            watch = loop.onReadable(kickFd, this::kicked);
        }
        queue.polled(polling);
    }

    private void kicked() {
        source.kicked();
        observer.kicked();
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

    /** Gives no more turns, until it {@linkplain #listen listens} again. */
    @Override
    public void close() {
        polling = false;
        IoLoop.Watch current = watch;
        watch = null;
        if (current != null) {
            current.close();
        }
    }
}
