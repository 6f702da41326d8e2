package dev.sluice.aio.sink;

import dev.sluice.linux.NativeBlock;
import dev.sluice.linux.NativeMemory;
import java.util.ArrayList;
import java.util.List;

/**
 * Aligned buffers for requests whose own memory O_DIRECT does not take.
 *
 * <p>At most {@value #BUFFERS} of {@value #BUFFER_BYTES} bytes a sink, 4 MiB in all, whatever a guest asks for: a longer request goes
 * through its buffer piece by piece, and a request that finds none free waits. 256 KiB is where a disk's time outweighs that of another
 * round through the kernel; 16 of them keep a disk busy. Buffers are made when first needed, as guests hardly ever need them.
 *
 * <p><b>Threading:</b> the loop's. <b>Allocation:</b> each buffer once.
 */
final class BouncePool implements AutoCloseable {
    static final int BUFFERS = 16;
    static final int BUFFER_BYTES = 256 * 1024;

    private final long alignment;
    private final List<NativeBlock> made = new ArrayList<>();
    private final long[] free = new long[BUFFERS];
    private int freeCount;

    /**
     * An empty pool.
     *
     * @param alignment of the buffers in bytes, a power of two
     */
    BouncePool(int alignment) {
        this.alignment = alignment;
    }

    /** Address of a buffer that is the caller's until {@link #release}, or 0 if all are borrowed. */
    long borrow() {
        if (freeCount > 0) {
            return free[--freeCount];
        }
        if (made.size() == BUFFERS) {
            return 0;
        }
        NativeBlock block = NativeMemory.allocate(BUFFER_BYTES, alignment);
        made.add(block);
        return block.address();
    }

    void release(long address) {
        free[freeCount++] = address;
    }

    boolean available() {
        return freeCount > 0 || made.size() < BUFFERS;
    }

    int borrowed() {
        return made.size() - freeCount;
    }

    @Override
    public void close() {
        if (borrowed() != 0) {
            throw new IllegalStateException(borrowed() + " bounce buffers have not come back");
        }
        made.forEach(NativeBlock::close);
        made.clear();
        freeCount = 0;
    }
}
