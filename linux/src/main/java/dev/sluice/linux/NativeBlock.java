package dev.sluice.linux;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.concurrent.atomic.LongAdder;

/**
 * A block of native memory with an owner, zeroed when it is allocated.
 *
 * <p><b>Threading</b>: any thread may use the address; close is idempotent and ordered by the owner after the last use,
 * the kernel's included. <b>Ownership</b>: the creator's until {@link #close()}; accesses through the raw address after
 * that are not caught. <b>Failure</b>: {@code IllegalStateException} from {@link #address()} after close,
 * {@code OutOfMemoryError} at creation. <b>Allocation</b>: at creation only.
 */
public final class NativeBlock implements AutoCloseable {
    private static final LongAdder OPEN_BYTES = new LongAdder();

    private final Arena arena;
    private final MemorySegment segment;

    NativeBlock(long bytes, long alignment) {
        arena = Arena.ofShared();
        try {
            segment = arena.allocate(bytes, alignment);
        } catch (Throwable t) {
            arena.close();
            throw t;
        }
        OPEN_BYTES.add(bytes);
    }

    /** Bytes of all blocks of this process that are not closed. Any thread; exact while none is allocated or closed. */
    public static long openBytes() {
        return OPEN_BYTES.sum();
    }

    public long address() {
        if (!arena.scope().isAlive()) {
            throw new IllegalStateException("native block is closed");
        }
        return segment.address();
    }

    public long bytes() {
        return segment.byteSize();
    }

    /** The block as a segment that is bounds checked and refuses access after close. */
    public MemorySegment segment() {
        return segment;
    }

    @Override
    public synchronized void close() {
        if (arena.scope().isAlive()) {
            arena.close();
            OPEN_BYTES.add(-segment.byteSize());
        }
    }
}
