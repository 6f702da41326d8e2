package dev.sluice.virtio.blk;

import dev.sluice.linux.Iovec;
import dev.sluice.virtio.queue.IovecSlab;
import java.lang.foreign.Arena;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * In place of a {@link RequestPool}, to measure what that saves: a request and its iovecs are allocated for each chain. See {@link Ablation}.
 *
 * <p><b>Threading:</b> the queue's loop. <b>Ownership:</b> iovecs are a request's from {@link #next} until it is released. <b>Allocation:</b> in {@link #next}.
 */
final class UnpooledRequests extends RequestPool {
    private static final long IOVEC_BYTES = (long) IovecSlab.INLINE * Iovec.SIZE;

    private final VirtioBlkQueue queue;
    private final IovecSlab slab;

    /** The memory of a request's iovecs, by slot. */
    private @Nullable Arena[] iovecs = new Arena[0];

    UnpooledRequests(VirtioBlkQueue queue, IovecSlab slab, int mostRequests) {
        super(queue, slab, mostRequests);
        this.queue = queue;
        this.slab = slab;
    }

    @Override
    VirtioBlkRequest next() {
        int slot = super.next().slot();
        if (slot >= iovecs.length) {
            iovecs = Arrays.copyOf(iovecs, capacity());
        }
        free(slot);
        Arena own = Arena.ofConfined();
        iovecs[slot] = own;
        VirtioBlkRequest made = new VirtioBlkRequest(queue, new RequestIovecs(slab, own.allocate(IOVEC_BYTES, Long.BYTES).address()), slot);
        replaceNext(made);
        return made;
    }

    @Override
    void release(VirtioBlkRequest request) {
        free(request.slot());
        super.release(request);
    }

    private void free(int slot) {
        Arena own = iovecs[slot];
        if (own != null) {
            iovecs[slot] = null;
            own.close();
        }
    }

    /** Requests that have iovecs. */
    int allocated() {
        return (int) Arrays.stream(iovecs).filter(own -> own != null).count();
    }

    @Override
    void close() {
        for (int slot = 0; slot < iovecs.length; slot++) {
            free(slot);
        }
    }
}
