package dev.sluice.virtio.blk;

import dev.sluice.virtio.queue.DeviceRing;

/** In place of {@link CompletedRequests}, to measure what that saves: each is published and signalled when it completes. See {@link Ablation}. */
final class UnbatchedRequests extends CompletedRequests {
    UnbatchedRequests(VirtioBlkQueue queue, DeviceRing ring, RequestPool pool, QueueInterrupts interrupts, GuardedObserver observer) {
        super(queue, ring, pool, interrupts, observer);
    }

    @Override
    void publishAtTickEnd() {
        publishNow();
    }
}
