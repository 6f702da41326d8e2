package dev.sluice.device;

import java.lang.ref.Reference;
import java.nio.ByteBuffer;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * An aligned off-heap buffer, borrowed from a {@link BlockBufferPool} until {@link #close}.
 *
 * <p><b>Threading:</b> the content as any {@link ByteBuffer}; {@link #close} from any thread. <b>Ownership:</b> whoever takes it closes it, and
 * may do so while it has requests in flight: the memory returns to the pool when the last of them has completed, even after a
 * cancellation. After closing, {@link #bytes} must not be used any more; the memory may have a new owner.
 * <b>Allocation:</b> created with its view when it is taken (some 100 bytes).
 */
public final class BlockBuffer implements AutoCloseable {
    private final BlockBufferPool pool;
    private final int index;
    private final ByteBuffer bytes;
    private final AtomicBoolean closed = new AtomicBoolean();

    BlockBuffer(BlockBufferPool pool, int index, ByteBuffer bytes) {
        this.pool = pool;
        this.index = index;
        this.bytes = bytes;
    }

    /**
     * The content; the same object on every call: its position and limit determine what is read or written.
     *
     * @throws IllegalStateException after {@link #close}
     */
    public ByteBuffer bytes() {
        if (closed.get()) {
            throw new IllegalStateException("the buffer has been returned to its pool");
        }
        return bytes;
    }

    /** Returns it to the pool. Idempotent. */
    @Override
    public void close() {
        try {
            if (closed.compareAndSet(false, true)) {
                pool.release(index);
            }
        } finally {
            // All of its fields have been read above: without this the collector could report it as leaked before the pool has released it.
            Reference.reachabilityFence(this);
        }
    }

    @Override
    public String toString() {
        return "BlockBuffer[" + index + (closed.get() ? ", closed]" : ", " + bytes + "]");
    }
}
