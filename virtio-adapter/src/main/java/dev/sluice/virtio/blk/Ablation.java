package dev.sluice.virtio.blk;

import dev.sluice.virtio.queue.DeviceRing;
import dev.sluice.virtio.queue.IovecSlab;
import java.util.HashSet;
import java.util.Set;

/**
 * Which parts of the data path a process has. It has all of them, unless {@code bench --matrix} sets {@value #PROPERTY} for a server that it starts, to
 * measure what they are worth: {@code pool}, {@code batch} or {@code pool,batch} are left out then.
 *
 * <p>A queue asks when it is created and not again: the parts that take the place of those left out are classes of their own, which are not even loaded in
 * other processes.
 *
 * @param pool requests and their iovecs are used again; without, both are allocated for each chain
 * @param batch a tick takes many requests and publishes their completions together; without, it takes one request of a queue, and each completion is published
 *     and signalled separately
 */
record Ablation(boolean pool, boolean batch) {
    static final String PROPERTY = "dev.sluice.ablation";

    /** Nothing is left out. */
    static final Ablation NONE = new Ablation(true, true);

    static final Ablation OF_THIS_PROCESS = parse(System.getProperty(PROPERTY, ""));

    static Ablation parse(String leftOut) {
        Set<String> parts = leftOut.isEmpty() ? Set.of() : new HashSet<>(Set.of(leftOut.split(",", -1)));
        Ablation parsed = new Ablation(!parts.contains("pool"), !parts.contains("batch"));
        if (parts.size() != (parsed.pool ? 0 : 1) + (parsed.batch ? 0 : 1)) {
            throw new IllegalArgumentException(PROPERTY + "=" + leftOut + ": only pool and batch can be left out");
        }
        return parsed;
    }

    RequestPool requestPool(VirtioBlkQueue queue, IovecSlab slab, int mostRequests) {
        return pool ? new RequestPool(queue, slab, mostRequests) : new UnpooledRequests(queue, slab, mostRequests);
    }

    CompletedRequests completedRequests(VirtioBlkQueue queue, DeviceRing ring, RequestPool pool, QueueInterrupts interrupts, GuardedObserver observer) {
        return batch ? new CompletedRequests(queue, ring, pool, interrupts, observer) : new UnbatchedRequests(queue, ring, pool, interrupts, observer);
    }

    /** The most that one tick reads, of {@code most}. */
    int descriptorsPerTick(int most) {
        return batch ? most : 1;
    }
}
