package dev.sluice.virtio.blk;

import dev.sluice.linux.NativeMemory;
import dev.sluice.pipeline.IoLoop;
import dev.sluice.virtio.queue.DeviceRing;
import java.util.Arrays;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * The requests of a queue that have completed and that its driver does not see yet, in the order in which they completed. At the end of the tick their status
 * bytes and used elements are written, the used index is published once, and the driver gets one interrupt if it wants any.
 *
 * <p><b>Threading:</b> the queue's loop. <b>Ownership:</b> a request is this one's from {@link #add} until it is published, when it returns to its pool.
 * <b>Failure:</b> memory that the peer has truncated breaks the queue; what has not been published is abandoned. <b>Allocation:</b> none once there has been
 * {@linkplain #makeRoom room} for as many as are ever in flight.
 */
class CompletedRequests {
    private final VirtioBlkQueue queue;
    private final IoLoop loop;
    private final DeviceRing ring;
    private final RequestPool pool;
    private final QueueInterrupts interrupts;
    private final GuardedObserver observer;
    private final IoLoop.TickEndHook endOfTick = this::endTick;

    private @Nullable VirtioBlkRequest[] requests = new VirtioBlkRequest[0];
    private int count;
    private boolean hooked;

    CompletedRequests(VirtioBlkQueue queue, DeviceRing ring, RequestPool pool, QueueInterrupts interrupts, GuardedObserver observer) {
        this.queue = queue;
        this.loop = queue.loop();
        this.ring = ring;
        this.pool = pool;
        this.interrupts = interrupts;
        this.observer = observer;
    }

    /** There is room for all requests of the pool. */
    final void makeRoom() {
        if (requests.length < pool.size()) {
            requests = Arrays.copyOf(requests, pool.capacity());
        }
    }

    /** A request has its status and the length that was written. */
    final void add(VirtioBlkRequest request) {
        requests[count++] = request;
        publishAtTickEnd();
    }

    void publishAtTickEnd() {
        if (!hooked) {
            hooked = true;
            loop.atTickEnd(endOfTick);
        }
    }

    private void endTick() {
        hooked = false;
        publish();
    }

    /** Publishes and interrupts now instead of at the end of the tick. */
    final void publishNow() {
        publish();
        interrupts.flush();
    }

    private void publish() {
        int published = count;
        if (published == 0) {
            return;
        }
        count = 0;
        boolean wanted;
        try {
            for (int i = 0; i < published; i++) {
                VirtioBlkRequest request = Objects.requireNonNull(requests[i]);
                ring.complete(request.chainId(), request.writeStatus());
                pool.release(request);
            }
            wanted = ring.publish();
            NativeMemory.surfaceFault();
        } catch (InternalError fault) {
            queue.memoryLost(fault);
            return;
        }
        boolean interrupted = wanted && interrupts.send();
        observer.published(published, interrupted);
    }

    /** The queue is broken: its driver sees nothing any more. */
    final void abandon() {
        count = 0;
    }
}
