package dev.sluice.virtio.blk;

import dev.sluice.linux.Errno;
import dev.sluice.linux.NativeBlock;
import dev.sluice.linux.NativeMemory;
import dev.sluice.pipeline.BlockRequest;
import dev.sluice.pipeline.BrokenQueueException;
import dev.sluice.pipeline.IoLoop;
import dev.sluice.pipeline.PipelineObserver;
import dev.sluice.pipeline.RequestQueue;
import dev.sluice.virtio.queue.CallBatch;
import dev.sluice.virtio.queue.DescriptorChain;
import dev.sluice.virtio.queue.DeviceRing;
import dev.sluice.virtio.queue.GuestMemory;
import dev.sluice.virtio.queue.GuestWrites;
import dev.sluice.virtio.queue.IovecSlab;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/**
 * One virtqueue of the block device, from chains that become available to chains that are used.
 *
 * <p>Guest memory is touched in four places: {@link #poll}, {@link #enableKicks}, {@link #disableKicks} and at the end of a tick. Each of them ends with
 * {@link NativeMemory#surfaceFault}, so that a peer that truncates the memory breaks this queue there and nothing elsewhere. A completion in between is only
 * noted: status bytes and completions of chains are written together, once a tick.
 *
 * <p><b>Threading:</b> confined to its loop. <b>Ownership:</b> owns its requests and their iovecs; the memory and the eventfds are borrowed until
 * {@link #close}. <b>Failure:</b> an invalid ring throws {@link BrokenQueueException} out of {@link #poll}, then and ever after; what is in flight
 * is abandoned. <b>Allocation:</b> a request where more are in flight than ever before, none in steady state. As many are in flight as the pipeline takes at
 * once and as a tick may complete by itself, so that the heap holds that many and not one for each head of a large ring.
 */
public final class VirtioBlkQueue implements RequestQueue, AutoCloseable {
    /** No eventfd. */
    public static final int NO_FD = -1;

    /** Requests of more than {@link IovecSlab#INLINE} segments that may be in flight. */
    private static final int MAX_LARGE_REQUESTS = 64;

    /** Of them one in so many may have more segments than {@code seg_max}: 16 KiB each, and others wait. */
    private static final int LARGE_PER_LARGEST = 4;

    /** A request header or a discard segment. */
    private static final int SCRATCH_BYTES = 16;

    private final IoLoop loop;
    private final int index;
    private final VirtioBlkDevice device;
    private final DeviceRing ring;
    private final IovecSlab slab;
    private final GuestWrites writes;
    private final NativeBlock scratch;
    private final GuardedObserver observer;
    private final QueueInterrupts interrupts;
    private final RequestPool pool;
    private final CompletedRequests completed;
    private final RequestIntake intake;

    private Runnable wake = () -> {};

    private int inFlight;
    private boolean enabled;
    private boolean polled;
    private @Nullable BrokenQueueException failure;
    /** For other threads: whether there is a failure. */
    private volatile boolean broken;

    /** A queue over a ring that was located and not yet {@linkplain #start started}. */
    public VirtioBlkQueue(
            IoLoop loop, int index, VirtioBlkDevice device, DeviceRing ring, GuestMemory memory, CallBatch calls, PipelineObserver observer) {
        this(loop, index, device, ring, memory, calls, observer, Ablation.OF_THIS_PROCESS, MAX_LARGE_REQUESTS);
    }

    VirtioBlkQueue(
            IoLoop loop,
            int index,
            VirtioBlkDevice device,
            DeviceRing ring,
            GuestMemory memory,
            CallBatch calls,
            PipelineObserver observer,
            Ablation ablation,
            int largeRequests) {
        this.loop = loop;
        this.index = index;
        this.device = device;
        this.ring = ring;
        this.writes = memory.writes();
        this.observer = new GuardedObserver(observer, index);
        this.interrupts = new QueueInterrupts(calls, this.observer);
        DescriptorChain chain = new DescriptorChain(memory, VirtioBlkDevice.MAX_SEGMENTS);
        // What is native does not leave with the garbage.
        this.scratch = NativeMemory.allocate(SCRATCH_BYTES, SCRATCH_BYTES);
        try {
            int large = Math.min(ring.size(), largeRequests);
            this.slab = new IovecSlab(ring.size(), device.segMax(), large, VirtioBlkDevice.MAX_SEGMENTS, Math.max(1, large / LARGE_PER_LARGEST));
        } catch (Throwable noMemory) {
            scratch.close();
            throw noMemory;
        }
        this.pool = ablation.requestPool(this, slab, ring.size());
        this.completed = ablation.completedRequests(this, ring, pool, interrupts, this.observer);
        this.intake = new RequestIntake(
                this, device, ring, chain, pool, completed, this.observer, ablation.descriptorsPerTick(RequestIntake.DESCRIPTORS_PER_TICK));
    }

    // ---- for whoever runs the queue

    /** Reads where to continue. {@code wake} gives the queue a turn: it is called when polling is worth while again without a kick. */
    public void start(Runnable wake) {
        loop.assertInLoop();
        this.wake = wake;
        try {
            ring.start();
            NativeMemory.surfaceFault();
            interrupts.sendOwed();
        } catch (InternalError fault) {
            fail(truncated(fault));
        }
    }

    /**
     * Before {@link #start}: the driver gets an interrupt when the ring starts. Whoever served it until now may have ended between showing the driver what was
     * used and calling it; and libvhost-user signals each call eventfd that it is given, also before a start, which drivers have come to wait for.
     */
    public void callMayBeOwed() {
        interrupts.owe();
    }

    /** A map with the same ring in the same place, and more or less beside it. */
    public void memory(GuestMemory memory) {
        loop.assertInLoop();
        intake.memory(memory);
    }

    /** Disabled, a queue takes nothing new; what is in flight still completes. A queue starts disabled. */
    public void enabled(boolean enabled) {
        loop.assertInLoop();
        if (this.enabled != enabled) {
            this.enabled = enabled;
            wake.run();
        }
    }

    /** Polled, a queue never asks for kicks: somebody gives it a turn every now and then. */
    public void polled(boolean polled) {
        loop.assertInLoop();
        this.polled = polled;
    }

    /** Eventfds for calls and for the news that the ring is broken, or {@link #NO_FD}. The old ones are not used any more after this returns. */
    public void eventFds(int callFd, int errFd) {
        loop.assertInLoop();
        interrupts.eventFds(callFd, errFd);
    }

    /**
     * The front end has brought the call eventfd while the ring runs: it is signalled, whether a call was due or not. A driver that was called through
     * the one before may have missed that, and one that was not called looks in vain once (VIRTIO 1.3 §2.7.7).
     */
    public void callFdCame() {
        loop.assertInLoop();
        interrupts.owe();
        interrupts.sendOwed();
    }

    /** Whether a call was due that could not be made for want of an eventfd. */
    public boolean callOwed() {
        return interrupts.owed();
    }

    /** See {@link DeviceRing#position}. */
    public int position() {
        return ring.position();
    }

    /** True once the ring has been found broken. Any thread. */
    public boolean broken() {
        return broken;
    }

    /** Shows the driver what has ended, now instead of at the end of the tick, and makes the call. For the last of a queue that stops. */
    public void publishNow() {
        loop.assertInLoop();
        completed.publishNow();
    }

    /** Frees what the queue has, when nothing is in flight. */
    @Override
    public void close() {
        loop.assertInLoop();
        if (inFlight != 0) {
            throw new IllegalStateException("queue " + index + " has " + inFlight + " requests out");
        }
        pool.close();
        slab.close();
        scratch.close();
    }

    // ---- the way in

    IoLoop loop() {
        return loop;
    }

    /** Where the requests report what was stored into guest memory for them. */
    GuestWrites writes() {
        return writes;
    }

    /** Sixteen bytes of our own, to gather in what a guest has split. */
    MemorySegment scratch() {
        return scratch.segment();
    }

    @Override
    public int index() {
        return index;
    }

    @Override
    public int size() {
        return ring.size();
    }

    @Override
    public int inFlight() {
        return inFlight;
    }

    @Override
    public @Nullable BlockRequest poll() {
        if (failure != null) {
            throw failure;
        }
        if (!enabled) {
            return null;
        }
        try {
            VirtioBlkRequest request = intake.next();
            if (request != null) {
                inFlight++;
            }
            return request;
        } catch (BrokenQueueException lie) {
            throw fail(orTruncated(lie));
        } catch (InternalError fault) {
            throw fail(truncated(fault));
        } catch (OutOfMemoryError none) {
            throw fail(new BrokenQueueException(index, "there is no memory for as many requests as its driver makes", none));
        }
    }

    @Override
    public boolean available() {
        if (failure != null || !enabled || intake.isWaiting()) {
            return false;
        }
        if (intake.resume()) {
            return true;
        }
        try {
            boolean more = ring.hasNext();
            NativeMemory.surfaceFault();
            return more;
        } catch (InternalError fault) {
            // The caller polls and hears of it.
            fail(truncated(fault));
            return true;
        }
    }

    @Override
    public boolean enableKicks() {
        if (failure != null || !enabled || intake.isWaiting()) {
            return false;
        }
        if (intake.resume()) {
            // The turn that this asks for comes in the next tick, also where a clock stands still.
            wake.run();
            return false;
        }
        if (polled) {
            return false;
        }
        try {
            boolean more = ring.enableKicks();
            NativeMemory.surfaceFault();
            return more;
        } catch (InternalError fault) {
            // The caller polls again and hears of it.
            fail(truncated(fault));
            return true;
        }
    }

    @Override
    public void disableKicks() {
        if (failure != null || !enabled) {
            return;
        }
        try {
            ring.disableKicks();
            NativeMemory.surfaceFault();
        } catch (InternalError fault) {
            fail(truncated(fault));
        }
    }

    // ---- the way out

    /** A request that was polled has its result. */
    void ended(VirtioBlkRequest request) {
        inFlight--;
        if (failure == null) {
            completed.add(request);
        }
        if (intake.isWaiting() && slab.available()) {
            intake.iovecsReleased();
            wake.run();
        }
    }

    /** A request that was parsed but not polled: it goes the way of all others, so that its state is right. */
    void neverSeen(VirtioBlkRequest request) {
        inFlight++;
        request.complete(-Errno.EFAULT);
    }

    /** The peer has truncated the memory that completions are published in. */
    void memoryLost(InternalError fault) {
        fail(truncated(fault));
        wake.run();
    }

    // ---- the end

    /** What looks like an invalid ring may be garbage that a faulted load has left. */
    private BrokenQueueException orTruncated(BrokenQueueException lie) {
        try {
            NativeMemory.surfaceFault();
            return lie;
        } catch (InternalError fault) {
            return truncated(fault);
        }
    }

    private BrokenQueueException truncated(InternalError fault) {
        return new BrokenQueueException(index, "the peer has truncated the memory under its mapping (SIGBUS)", fault);
    }

    /** The queue is over: nobody waits for what is in flight, the other side is notified, the next poll throws. */
    private BrokenQueueException fail(BrokenQueueException rule) {
        BrokenQueueException first = failure;
        if (first != null) {
            return first;
        }
        failure = rule;
        broken = true;
        completed.abandon();
        VirtioBlkRequest unseen = intake.abandonUnproven();
        pool.abandonAll();
        if (unseen != null) {
            unseen.takeBack();
        }
        device.needReset();
        interrupts.sendErr();
        observer.queueEvent(PipelineObserver.QueueEvent.BROKEN);
        return rule;
    }
}
