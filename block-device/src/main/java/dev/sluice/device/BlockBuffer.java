package dev.sluice.device;

import java.lang.ref.Reference;
import java.nio.ByteBuffer;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * An aligned off-heap buffer, lent by a {@link BlockBufferPool} until {@link #close}.
 *
 * <p><b>Threading:</b> the content as any {@link ByteBuffer}; {@link #close} from any thread. <b>Ownership:</b> whoever takes it closes it, and
 * may do so while requests on it are under way: the memory goes back to the pool when the last of them has been answered, however
 * that subscription ended. After closing, {@link #bytes} must not be used any more; the memory may be somebody else's.
 * <b>Allocation:</b> made with its view when it is taken (some 100 bytes).
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
     * The content; the same object each time, so that its position and limit say what is to be read or written.
     *
     * @throws IllegalStateException after {@link #close}
     */
    public ByteBuffer bytes() {
        if (closed.get()) {
            throw new IllegalStateException("the buffer has been given back to its pool");
        }
        return bytes;
    }

    /** Gives it back. Idempotent. */
    @Override
    public void close() {
        try {
            if (closed.compareAndSet(false, true)) {
                pool.giveBack(index);
            }
        } finally {
            // Its fields are all that is used above: without this the collector may find it forgotten before the pool has heard of its end.
            Reference.reachabilityFence(this);
        }
    }

    @Override
    public String toString() {
        return "BlockBuffer[" + index + (closed.get() ? ", given back]" : ", " + bytes + "]");
    }
}
