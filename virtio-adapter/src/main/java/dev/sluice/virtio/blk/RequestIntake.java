package dev.sluice.virtio.blk;

import dev.sluice.linux.NativeMemory;
import dev.sluice.pipeline.BlockOp;
import dev.sluice.pipeline.IoLoop;
import dev.sluice.pipeline.PipelineObserver;
import dev.sluice.virtio.queue.DescriptorChain;
import dev.sluice.virtio.queue.DeviceRing;
import dev.sluice.virtio.queue.GuestMemory;
import org.jspecify.annotations.Nullable;

/**
 * Makes requests of the chains that a queue's driver has made available: fetches one, has a request of the pool parse it, and takes it. What the device
 * completes without the disk (malformed, beyond the end, read-only) is completed here.
 *
 * <p>It stops where it must not continue: a chain for which there are no iovecs stays in the ring until a request {@linkplain #iovecsReleased releases} some,
 * and after many descriptors in one tick it {@linkplain #resume yields} to other queues of the loop.
 *
 * <p><b>Threading:</b> the queue's loop. <b>Failure:</b> as {@link DeviceRing#fetch}. <b>Allocation:</b> a request if more are in flight than ever before.
 */
final class RequestIntake {
    /**
     * Descriptors read in one tick before others get their turn: a chain may be as long as the ring, so counting requests bounds nothing. One more
     * chain may follow the last one that fits. That is room for 32 requests of 126 segments.
     */
    static final int DESCRIPTORS_PER_TICK = 4096;

    private final IoLoop loop;
    private final VirtioBlkDevice device;
    private final DeviceRing ring;
    private final DescriptorChain chain;
    private final RequestPool pool;
    private final CompletedRequests completed;
    private final GuardedObserver observer;
    private final ChainLog chainLog;
    private final int descriptorsPerTick;

    private boolean waitingForIovecs;
    private boolean yielded;
    private long budgetTick;
    private int descriptorsRead;
    /** Being parsed: what it holds may be garbage until it is certain that no access has faulted. */
    private @Nullable VirtioBlkRequest unproven;

    RequestIntake(
            VirtioBlkQueue queue,
            VirtioBlkDevice device,
            DeviceRing ring,
            DescriptorChain chain,
            RequestPool pool,
            CompletedRequests completed,
            GuardedObserver observer,
            int descriptorsPerTick) {
        this.loop = queue.loop();
        this.device = device;
        this.ring = ring;
        this.chain = chain;
        this.pool = pool;
        this.completed = completed;
        this.observer = observer;
        this.chainLog = new ChainLog(queue.index(), loop::tickNanos);
        this.descriptorsPerTick = descriptorsPerTick;
    }

    /** From the next chain on. */
    void memory(GuestMemory memory) {
        chain.memory(memory);
    }

    /** The next request in state PARSED, or null if the ring has none or it is not the time for one. */
    @Nullable
    VirtioBlkRequest next() {
        if (waitingForIovecs || yielded) {
            return null;
        }
        VirtioBlkRequest request = nextInRing();
        NativeMemory.surfaceFault();
        unproven = null;
        return request;
    }

    private @Nullable VirtioBlkRequest nextInRing() {
        long tick = loop.tickNanos();
        if (budgetTick != tick) {
            budgetTick = tick;
            descriptorsRead = 0;
        }
        while (descriptorsRead < descriptorsPerTick) {
            if (!ring.fetch(chain)) {
                return null;
            }
            VirtioBlkRequest request = pool.next();
            unproven = request;
            completed.makeRoom();
            descriptorsRead += 1 + chain.descriptorsRead();
            VirtioBlkRequest.Outcome outcome = request.parse(chain, device);
            if (outcome == VirtioBlkRequest.Outcome.NO_ROOM) {
                // Backpressure: the chain stays where it is until a request releases its iovecs.
                waitingForIovecs = true;
                return null;
            }
            ring.take();
            pool.take();
            request.setChainId(chain.id());
            if (outcome == VirtioBlkRequest.Outcome.REQUEST) {
                return request;
            }
            report(request);
            completed.add(request);
        }
        // Others on this loop come first; it continues in the next tick.
        yielded = true;
        return null;
    }

    private void report(VirtioBlkRequest request) {
        String rule = request.brokenRule();
        if (rule != null) {
            chainLog.malformed(request.chainId(), rule);
            observer.queueEvent(PipelineObserver.QueueEvent.MALFORMED_CHAIN);
            return;
        }
        BlockOp op = request.completedOp();
        if (op != null) {
            observer.completedAtOnce(op, request.completedErrno());
        }
    }

    /** Whether a chain has to wait until a request releases its iovecs. */
    boolean isWaiting() {
        return waitingForIovecs;
    }

    /** Whether it has yielded in this tick, which ends now. */
    boolean resume() {
        boolean resumed = yielded;
        if (resumed) {
            yielded = false;
            descriptorsRead = 0;
        }
        return resumed;
    }

    /** There are iovecs again for the chain that waits. */
    void iovecsReleased() {
        waitingForIovecs = false;
    }

    /** The request that was being parsed when memory was lost, or null. */
    @Nullable
    VirtioBlkRequest abandonUnproven() {
        VirtioBlkRequest unseen = unproven;
        unproven = null;
        return unseen;
    }
}
