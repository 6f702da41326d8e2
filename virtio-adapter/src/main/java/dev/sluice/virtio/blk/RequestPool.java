package dev.sluice.virtio.blk;

import dev.sluice.virtio.queue.IovecSlab;
import java.util.Arrays;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * The requests of one queue: as many as were ever in flight together, used again and again.
 *
 * <p><b>Threading:</b> the queue's loop. <b>Allocation:</b> in {@link #next}, where all are in flight, or requests are not pooled.
 */
final class RequestPool {
    private static final int FIRST_CAPACITY = 16;

    private final VirtioBlkQueue queue;
    private final IovecSlab slab;
    private final int mostRequests;
    private final boolean pooled;

    /** All requests, by slot. */
    private @Nullable VirtioBlkRequest[] requests = new VirtioBlkRequest[0];

    private int requestCount;
    /** Those that no chain has, the one that was used last on top. */
    private @Nullable VirtioBlkRequest[] free = requests;

    private int freeCount;

    /** @param pooled whether requests are used again; else one is made for each chain */
    RequestPool(VirtioBlkQueue queue, IovecSlab slab, int mostRequests, boolean pooled) {
        this.queue = queue;
        this.slab = slab;
        this.mostRequests = mostRequests;
        this.pooled = pooled;
    }

    /** Requests that there are. */
    int size() {
        return requestCount;
    }

    /** Requests that there is room for before it grows. */
    int capacity() {
        return requests.length;
    }

    /** A free request, the next one until it is {@linkplain #take taken}. */
    VirtioBlkRequest next() {
        if (freeCount == 0) {
            grow();
        }
        VirtioBlkRequest request = Objects.requireNonNull(free[freeCount - 1]);
        if (!pooled) {
            request = replacementOf(request);
            requests[request.slot()] = request;
            free[freeCount - 1] = request;
        }
        return request;
    }

    private void grow() {
        if (requestCount == requests.length) {
            int capacity = Math.min(mostRequests, Math.max(FIRST_CAPACITY, 2 * requestCount));
            requests = Arrays.copyOf(requests, capacity);
            free = Arrays.copyOf(free, capacity);
        }
        VirtioBlkRequest made = new VirtioBlkRequest(queue, new RequestIovecs(slab, requestCount), requestCount);
        requests[requestCount++] = made;
        free[freeCount++] = made;
    }

    private VirtioBlkRequest replacementOf(VirtioBlkRequest used) {
        used.retire();
        return new VirtioBlkRequest(queue, RequestIovecs.unpooled(slab), used.slot());
    }

    /** The one that {@link #next} has returned is in use. */
    void take() {
        freeCount--;
    }

    void release(VirtioBlkRequest request) {
        free[freeCount++] = request;
    }

    /** Nothing is written for the driver at the end of those that are in flight. */
    void abandonAll() {
        for (VirtioBlkRequest request : requests) {
            if (request != null) {
                request.abandonIfOut();
            }
        }
    }

    /** None is in flight. */
    void close() {
        for (VirtioBlkRequest request : requests) {
            if (request != null) {
                request.retire();
            }
        }
    }
}
