package dev.sluice.virtio.blk;

import dev.sluice.virtio.queue.IovecSlab;
import java.util.Arrays;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * The requests of one queue: as many as were ever in flight together, used again and again.
 *
 * <p><b>Threading:</b> the queue's loop. <b>Allocation:</b> in {@link #next}, if all are in flight.
 */
class RequestPool {
    private static final int FIRST_CAPACITY = 16;

    private final VirtioBlkQueue queue;
    private final IovecSlab slab;
    private final int mostRequests;

    /** All requests, by slot. */
    private @Nullable VirtioBlkRequest[] requests = new VirtioBlkRequest[0];

    private int requestCount;
    /** Those that no chain has, the one that was used last on top. */
    private @Nullable VirtioBlkRequest[] free = requests;

    private int freeCount;

    RequestPool(VirtioBlkQueue queue, IovecSlab slab, int mostRequests) {
        this.queue = queue;
        this.slab = slab;
        this.mostRequests = mostRequests;
    }

    /** Requests that there are. */
    final int size() {
        return requestCount;
    }

    /** Requests that there is room for before it grows. */
    final int capacity() {
        return requests.length;
    }

    /** A free request, the next one until it is {@linkplain #take taken}. */
    VirtioBlkRequest next() {
        if (freeCount == 0) {
            grow();
        }
        return Objects.requireNonNull(free[freeCount - 1]);
    }

    private void grow() {
        if (requestCount == requests.length) {
            int capacity = Math.min(mostRequests, Math.max(FIRST_CAPACITY, 2 * requestCount));
            requests = Arrays.copyOf(requests, capacity);
            free = Arrays.copyOf(free, capacity);
        }
        VirtioBlkRequest made = new VirtioBlkRequest(queue, new RequestIovecs(slab, slab.inline(requestCount)), requestCount);
        requests[requestCount++] = made;
        free[freeCount++] = made;
    }

    /** Another object for the slot of the one that {@link #next} has returned. */
    final void replaceNext(VirtioBlkRequest replacement) {
        requests[replacement.slot()] = replacement;
        free[freeCount - 1] = replacement;
    }

    /** The one that {@link #next} has returned is in use. */
    final void take() {
        freeCount--;
    }

    void release(VirtioBlkRequest request) {
        free[freeCount++] = request;
    }

    /** Nothing is written for the driver at the end of those that are in flight. */
    final void abandonAll() {
        for (VirtioBlkRequest request : requests) {
            if (request != null) {
                request.abandonIfOut();
            }
        }
    }

    /** None is in flight. Their iovecs are the slab's. */
    void close() {}
}
