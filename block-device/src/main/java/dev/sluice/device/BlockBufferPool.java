package dev.sluice.device;

import dev.sluice.linux.NativeBlock;
import dev.sluice.linux.NativeMemory;
import java.lang.ref.PhantomReference;
import java.lang.ref.ReferenceQueue;
import java.util.Arrays;
import java.util.concurrent.atomic.AtomicIntegerArray;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import reactor.core.publisher.Mono;

/**
 * The aligned buffers of one {@link BlockDevice}: a fixed number of one size, in one block of memory that is allocated when the first is taken.
 *
 * <p>A buffer returns to the pool when it has been closed <em>and</em> no request uses it: each request in flight pins the buffers that its
 * addresses are in, whether it was given {@link BlockBuffer#bytes} or a slice of them, also if the request is another device's.
 *
 * <p><b>Threading:</b> any. <b>Ownership:</b> the memory is the device's, which frees it when it is closed; a buffer still borrowed then is
 * reported, and accesses to it throw {@link IllegalStateException}. <b>Failure:</b> {@link #tryTake} returns null if no buffer is free.
 * <b>Allocation:</b> a view per buffer taken; pinning allocates nothing.
 */
public final class BlockBufferPool implements Pool<BlockBuffer> {
    /** The pools of this process that have memory: a request may use a buffer of another device. Replaced under the class's lock. */
    private static volatile BlockBufferPool[] made = {};

    private static final Logger LOG = LoggerFactory.getLogger(BlockBufferPool.class);

    private final int bufferBytes;
    private final int alignment;
    private final LeakDetection detection;
    private final Consumer<NativeBlock> whenMade;
    private final ReferenceQueue<BlockBuffer> collected = new ReferenceQueue<>();

    /** One for the holder of a buffer, one for each request on it; 0 while it is in the pool. */
    private final AtomicIntegerArray uses;

    private final PendingTasks waiting = new PendingTasks(this::mayTry);

    // Guarded by this.
    private final int[] free;
    private final @Nullable Watch[] watches;
    private int freeCount;
    private int leaks;
    private @Nullable NativeBlock memory;
    /** Requests of other devices on buffers of this one. */
    private int pinsByOthers;
    private boolean refusing;
    private boolean closed;

    /** First byte of the memory, 0 before there is any; what {@link #pin} compares addresses with. */
    private volatile long base;

    /** What {@link #pin} found at an address: a buffer that it has pinned, one whose holder has closed it, or none. */
    enum Pin {
        HELD,
        CLOSED,
        NOT_POOLED
    }

    private static final class Watch extends PhantomReference<BlockBuffer> {
        private final int index;
        private final @Nullable Throwable taken;

        Watch(BlockBuffer watched, ReferenceQueue<BlockBuffer> queue, int index, boolean trace) {
            super(watched, queue);
            this.index = index;
            this.taken = trace ? new Throwable("taken here") : null;
        }
    }

    /**
     * A pool that allocates its memory on the first {@link #tryTake}.
     *
     * @param whenMade notified of the memory, on the thread that takes the first buffer
     */
    BlockBufferPool(int count, int bufferBytes, int alignment, LeakDetection detection, Consumer<NativeBlock> whenMade) {
        this.bufferBytes = bufferBytes;
        this.alignment = alignment;
        this.detection = detection;
        this.whenMade = whenMade;
        this.uses = new AtomicIntegerArray(count);
        this.free = new int[count];
        this.watches = new Watch[count];
        for (int i = 0; i < count; i++) {
            free[i] = count - 1 - i;
        }
        this.freeCount = count;
    }

    /** Size of each buffer in bytes. */
    public int bufferBytes() {
        return bufferBytes;
    }

    /** Each buffer starts at a multiple of this many bytes. */
    public int alignment() {
        return alignment;
    }

    /** The number of buffers. */
    public int count() {
        return free.length;
    }

    /** The number of free buffers. */
    public synchronized int available() {
        return freeCount;
    }

    /** The number of buffers found to have leaked. */
    public synchronized int leaks() {
        reportCollected();
        return leaks;
    }

    /**
     * A free buffer, cleared but not zeroed, or null if there is none.
     *
     * @throws IllegalStateException if the device is closed
     */
    @Override
    public synchronized @Nullable BlockBuffer tryTake() {
        if (refusing) {
            throw new IllegalStateException("the block device of this buffer pool is closed");
        }
        reportCollected();
        if (freeCount == 0) {
            return null;
        }
        NativeBlock slab = memory;
        if (slab == null) {
            slab = NativeMemory.allocate((long) free.length * bufferBytes, alignment);
            memory = slab;
            base = slab.address();
            add(this);
            whenMade.accept(slab);
        }
        int index = free[freeCount - 1];
        BlockBuffer taken = new BlockBuffer(this, index, slab.segment().asSlice((long) index * bufferBytes, bufferBytes).asByteBuffer());
        if (detection != LeakDetection.OFF) {
            watches[index] = new Watch(taken, collected, index, detection == LeakDetection.TRACE);
        }
        // Last: if the heap had no room for one of these objects, the buffer is still in the pool.
        freeCount--;
        uses.set(index, 1);
        return taken;
    }

    /** A buffer, as soon as one is free; first come, first served. Fails with {@link BlockIoException} if the device is closed. */
    public Mono<BlockBuffer> take() {
        return new TakeMono<>(this);
    }

    private synchronized boolean mayTry() {
        return freeCount > 0 || refusing;
    }

    /** A task may find that it needs no buffer any more; then the next one runs. */
    @Override
    public void whenAvailable(Runnable task) {
        waiting.add(task);
    }

    @Override
    public void release(BlockBuffer borrowed) {
        borrowed.close();
    }

    /** Called when the holder closes its buffer. */
    void release(int index) {
        synchronized (this) {
            Watch watch = watches[index];
            if (watch != null) {
                watch.clear();
                watches[index] = null;
            }
        }
        dropUse(index);
    }

    // ---- for requests in flight

    /** Pins the buffer that contains an address, if it belongs to a pool of this process. */
    Pin pin(long address) {
        int index = indexOf(address);
        if (index >= 0) {
            return hold(index) ? Pin.HELD : Pin.CLOSED;
        }
        BlockBufferPool other = owner(address);
        if (other == null) {
            return Pin.NOT_POOLED;
        }
        return other.pinForOther(address) ? Pin.HELD : Pin.CLOSED;
    }

    /** Whether an address is in a pooled buffer of this process. */
    boolean owns(long address) {
        return indexOf(address) >= 0 || owner(address) != null;
    }

    private boolean hold(int index) {
        int now;
        do {
            now = uses.get(index);
            if (now == 0) {
                return false;
            }
        } while (!uses.compareAndSet(index, now, now + 1));
        return true;
    }

    void unpin(long address) {
        int index = indexOf(address);
        if (index >= 0) {
            dropUse(index);
            return;
        }
        BlockBufferPool other = owner(address);
        if (other != null) {
            other.unpinForOther(address);
        }
    }

    // ---- buffers of one device in requests of another

    private static @Nullable BlockBufferPool owner(long address) {
        for (BlockBufferPool pool : made) {
            if (pool.indexOf(address) >= 0) {
                return pool;
            }
        }
        return null;
    }

    private synchronized boolean pinForOther(long address) {
        int index = indexOf(address);
        if (closed || index < 0 || !hold(index)) {
            return false;
        }
        pinsByOthers++;
        return true;
    }

    /** The last one frees the memory of a pool that has been closed in the meantime. */
    private void unpinForOther(long address) {
        dropUse(indexOf(address));
        synchronized (this) {
            pinsByOthers--;
            freeIfUnused();
        }
    }

    private static void add(BlockBufferPool pool) {
        synchronized (BlockBufferPool.class) {
            BlockBufferPool[] more = Arrays.copyOf(made, made.length + 1);
            more[made.length] = pool;
            made = more;
        }
    }

    private static void remove(BlockBufferPool pool) {
        synchronized (BlockBufferPool.class) {
            made = Arrays.stream(made).filter(other -> other != pool).toArray(BlockBufferPool[]::new);
        }
    }

    private int indexOf(long address) {
        long start = base;
        long at = address - start;
        return start == 0 || at < 0 || at >= (long) free.length * bufferBytes ? -1 : (int) (at / bufferBytes);
    }

    private void dropUse(int index) {
        if (uses.decrementAndGet(index) > 0) {
            return;
        }
        synchronized (this) {
            free[freeCount++] = index;
        }
        waiting.drain();
    }

    // ---- leaks

    private void reportCollected() {
        while (collected.poll() instanceof Watch watch) {
            if (watches[watch.index] == watch) {
                watches[watch.index] = null;
                leaks++;
                LOG.error("a buffer of {} bytes was collected without having been closed; its memory is lost to the pool{}", bufferBytes,
                        watch.taken == null ? " (LeakDetection.TRACE shows where it was taken)" : "", watch.taken);
            }
        }
    }

    /** From now on nobody can take a buffer, and whoever waits for one fails. Idempotent. */
    void refuse() {
        synchronized (this) {
            refusing = true;
        }
        waiting.drain();
    }

    /** Frees the memory, once no other device has requests on it. Call it when no request of the own device is in flight. Idempotent. */
    void close() {
        refuse();
        synchronized (this) {
            if (closed) {
                return;
            }
            closed = true;
            reportCollected();
            // Includes those found before: a leaked buffer never returns.
            leaks = free.length - freeCount;
            if (leaks > 0) {
                LOG.error("{} of {} buffers were not closed before their block device", leaks, free.length);
                for (Watch watch : watches) {
                    if (watch != null && watch.taken != null) {
                        LOG.error("not closed", watch.taken);
                    }
                }
            }
            freeIfUnused();
        }
    }

    private void freeIfUnused() {
        NativeBlock slab = memory;
        if (closed && pinsByOthers == 0 && slab != null) {
            memory = null;
            remove(this);
            base = 0;
            slab.close();
        }
    }
}
