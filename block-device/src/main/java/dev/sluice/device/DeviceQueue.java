package dev.sluice.device;

import dev.sluice.linux.Errno;
import dev.sluice.linux.Iovec;
import dev.sluice.linux.NativeBlock;
import dev.sluice.linux.NativeMemory;
import dev.sluice.pipeline.BlockPipeline;
import dev.sluice.pipeline.IoLoop;
import dev.sluice.pipeline.QueueSource;
import dev.sluice.pipeline.RequestQueue;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.util.concurrent.RejectedExecutionException;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import reactor.core.Exceptions;

/**
 * A queue whose driver is the program: the {@link SubmissionRing} is its avail ring, a completed {@link DeviceIo} its used element.
 *
 * <p><b>Threading:</b> {@link #submit}, {@link #offer}, {@link #kick}, {@link #offerBuffers} and {@link #refuseNew} from any thread, everything else on the
 * loop. <b>Ownership:</b> its requests and their iovecs, until {@link #free}. <b>Failure:</b> a refused call learns the reason through
 * {@link DeviceIo#refused}; nothing throws. <b>Allocation:</b> none per request; a task for the loop per wake-up.
 */
final class DeviceQueue implements RequestQueue {
    private static final Logger LOG = LoggerFactory.getLogger(DeviceQueue.class);
    private static final VarHandle KICKS_WANTED;

    static {
        try {
            KICKS_WANTED = MethodHandles.lookup().findVarHandle(DeviceQueue.class, "kicksWanted", boolean.class);
        } catch (ReflectiveOperationException e) {
            throw new ExceptionInInitializerError(e);
        }
    }

    private final IoLoop loop;
    private final int index;
    private final int maxWaiting;
    private final boolean writeThrough;
    private final SubmissionRing ring;
    private final NativeBlock iovecs;
    private final DeviceRequest[] free;
    private final QueueSource source;
    private final Runnable kicked;
    private final Room room = new Room();

    private volatile boolean kicksWanted = true;
    private volatile boolean refusing;

    // Confined to the loop.
    private int freeCount;
    private boolean freed;
    private @Nullable Runnable whenDrained;
    private @Nullable BlockPipeline pipeline;
    private long offeredBuffers;

    DeviceQueue(IoLoop loop, int index, BlockDeviceOptions options) {
        this.loop = loop;
        this.index = index;
        this.maxWaiting = options.maxWaiting();
        this.writeThrough = options.writeThrough();
        this.ring = new SubmissionRing(options.maxWaiting());
        int depth = options.queueDepth();
        this.iovecs = NativeMemory.allocate((long) depth * options.maxSegments() * Iovec.SIZE, Long.BYTES);
        this.free = new DeviceRequest[depth];
        for (int slot = 0; slot < depth; slot++) {
            free[slot] = new DeviceRequest(this, slot, Iovec.address(iovecs.address(), slot * options.maxSegments()));
        }
        this.freeCount = depth;
        this.source = new QueueSource(loop, this);
        this.kicked = source::kicked;
    }

    IoLoop loop() {
        return loop;
    }

    void connect(BlockPipeline pipeline) {
        pipeline.connect(source);
        this.pipeline = pipeline;
    }

    // ---- the program's side

    /** Takes a call in state WAITING and wakes the loop if it sleeps. */
    void submit(DeviceIo io) {
        offer(io);
        kick(io);
    }

    /** Takes a call without waking the loop: the caller continues with others and finishes with {@link #kick}. */
    void offer(DeviceIo io) {
        if (refusing) {
            refuse(io, BlockIoException.closed());
        } else if (!ring.offer(io)) {
            refuse(io, Exceptions.failWithOverflow("queue " + index + " of the block device has " + maxWaiting
                    + " pending requests, the maximum: make fewer requests at once, or raise maxWaiting"));
        } else if (refusing) {
            // Pairs with refuseNew: either the drain there sees the call in the ring, or this sees the flag. If both do, the state decides.
            refuse(io, BlockIoException.closed());
        }
    }

    /** Wakes the loop once for everything offered since it last looked; refuses {@code last} if the loop has terminated. */
    void kick(@Nullable DeviceIo last) {
        // Pairs with enableKicks: a producer fills a place, then reads the flag; the loop sets the flag, then looks at the place.
        if (!kicksWanted || !KICKS_WANTED.compareAndSet(this, true, false)) {
            return;
        }
        if (loop.inLoop()) {
            source.kicked();
            return;
        }
        try {
            loop.execute(kicked);
        } catch (RejectedExecutionException ended) {
            kicksWanted = true;
            refuseNew();
            if (last != null) {
                refuse(last, new BlockIoException("loop " + loop.name() + " of the block device has terminated", Errno.ESHUTDOWN));
            }
        } catch (Throwable failed) {
            // No memory for the wake-up: the next call wakes the loop for all that are pending.
            kicksWanted = true;
            if (last != null) {
                refuse(last, failed);
            }
        }
    }

    /** Waits until a call that a full ring refused may be offered again, or until all calls are refused. Not on the loop. */
    void awaitRoom() throws InterruptedException {
        room.await(() -> ring.isFull() && !refusing);
    }

    private static void refuse(DeviceIo io, Throwable reason) {
        if (io.move(DeviceIo.State.WAITING, DeviceIo.State.ENDED)) {
            io.refused(reason);
        }
    }

    /** Announces to the sink memory that many requests will use. */
    void offerBuffers(long address, long bytes) {
        try {
            loop.execute(() -> {
                BlockPipeline connected = pipeline;
                if (connected != null && !refusing && connected.registerBuffers(loop, address, bytes)) {
                    offeredBuffers = address;
                }
            });
        } catch (RejectedExecutionException ended) {
            // No loop, no requests.
        }
    }

    private void takeBackBuffers() {
        BlockPipeline connected = pipeline;
        if (connected != null && offeredBuffers != 0) {
            connected.unregisterBuffers(loop, offeredBuffers);
            offeredBuffers = 0;
        }
    }

    /** Refuses calls from now on; those in the ring continue. */
    void refuseNew() {
        refusing = true;
        room.all();
    }

    // ---- the loop's side

    /**
     * Refuses what is pending for a loop that has terminated; the loop itself has waited for what it had taken. After {@link #refuseNew}; on any thread, once.
     */
    void loopHasEnded() {
        DeviceIo io;
        while ((io = ring.poll()) != null) {
            refuse(io, BlockIoException.closed());
        }
    }

    /** Stops the source once the ring is empty and nothing is in flight, then runs {@code done}. After {@link #refuseNew}; once. */
    void drain(Runnable done) {
        loop.assertInLoop();
        whenDrained = done;
        stopIfDrained();
    }

    private void stopIfDrained() {
        Runnable done = whenDrained;
        if (done != null && inFlight() == 0 && ring.isEmpty()) {
            whenDrained = null;
            takeBackBuffers();
            source.stop(done);
        }
    }

    /** Frees the iovecs. When the source has been stopped, or was never connected. Idempotent. */
    void free() {
        if (!freed) {
            freed = true;
            iovecs.close();
        }
    }

    @Override
    public int index() {
        return index;
    }

    @Override
    public int size() {
        return free.length;
    }

    @Override
    public int inFlight() {
        return free.length - freeCount;
    }

    @Override
    public @Nullable DeviceRequest poll() {
        if (freeCount == 0) {
            return null;
        }
        DeviceIo io;
        while ((io = ring.poll()) != null) {
            // The place is free; the compare-and-set orders that before the check for waiting callers.
            boolean taken = io.move(DeviceIo.State.WAITING, DeviceIo.State.TAKEN);
            room.one();
            if (taken) {
                DeviceRequest request = free[--freeCount];
                request.parse(io, writeThrough);
                return request;
            }
        }
        askWhetherDrained();
        return null;
    }

    @Override
    public boolean available() {
        return freeCount > 0 && !ring.isEmpty();
    }

    @Override
    public boolean enableKicks() {
        // Volatile; pairs with kick.
        kicksWanted = true;
        return freeCount > 0 && !ring.isEmpty();
    }

    @Override
    public void disableKicks() {
        kicksWanted = false;
    }

    /** The used element: frees the slot first, because the program may make its next request when it is notified. */
    void completed(DeviceRequest request, DeviceIo io, int result) {
        boolean waited = freeCount == 0;
        free[freeCount++] = request;
        try {
            io.completed(result);
        } catch (Throwable failure) {
            // Thrown by a subscriber of the program; must not cost other requests their completion nor the queue its demand.
            LOG.error("queue {}: a subscriber threw when its {} completed", index, io.op(), failure);
        }
        if (waited && !ring.isEmpty()) {
            kick(null);
        }
        if (room.isWaitedFor() && ring.isEmpty()) {
            room.all();
        }
        askWhetherDrained();
    }

    private void askWhetherDrained() {
        if (whenDrained != null) {
            loop.execute(this::stopIfDrained);
        }
    }
}
