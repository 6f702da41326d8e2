package dev.sluice.pipeline;

import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * A buffer that a stage {@linkplain SubRequests#useBuffer uses}: aligned memory outside of the heap, from a pool of its own on each loop.
 *
 * <p><b>Threading:</b> any thread. <b>Ownership:</b> the memory is shared with later uses, so it is reached in {@link #access} only, and goes back to its pool
 * when the use has ended and nobody accesses it and no sub-request has it. <b>Failure:</b> {@link IllegalStateException} when the use has ended.
 * <b>Allocation:</b> none; it is the subscription of its use.
 */
public abstract class StageBuffer {
    /** The largest buffer: what a guest's kernel usually makes of large transfers. */
    public static final int MAX_BYTES = StageBuffers.LARGE_BYTES;

    private static final int ENDED = 1 << 31;
    private static final int GRANTED = 1 << 30;
    private static final VarHandle STATE;

    static {
        try {
            STATE = MethodHandles.lookup().findVarHandle(StageBuffer.class, "state", int.class);
        } catch (ReflectiveOperationException e) {
            throw new ExceptionInInitializerError(e);
        }
    }

    private final long bytes;

    /** Flags, and how many sub-requests and accesses have the memory. */
    private volatile int state;

    private StageBuffers.@Nullable Block block;

    StageBuffer(long bytes) {
        this.bytes = bytes;
    }

    /** The bytes that were asked for. */
    public final long bytes() {
        return bytes;
    }

    /**
     * Reads or changes the memory, in this call; not while a sub-request reads into it or writes from it.
     *
     * @param work gets a segment of at least {@link #bytes}, which it does not keep
     * @throws IllegalStateException if the use of the buffer has ended, by a cancellation for instance; nothing was done then
     */
    public final void access(Consumer<? super MemorySegment> work) {
        if (!retain()) {
            throw new IllegalStateException("the use of the buffer has ended");
        }
        try {
            work.accept(heldBlock().segment());
        } finally {
            release();
        }
    }

    /** The address of a byte; for whoever has {@link #retain retained} it. */
    final long address(long offset) {
        return heldBlock().address() + offset;
    }

    private StageBuffers.Block heldBlock() {
        StageBuffers.Block held = block;
        if (held == null) {
            throw new IllegalStateException("the buffer is not there yet");
        }
        return held;
    }

    // ---- its life: granted once at most, ended once; between them its holders come and go

    /** The pool has a block for it; false if the use has ended before. On the loop. */
    final boolean grant(StageBuffers.Block granted) {
        block = granted;
        // Publishes the block.
        return STATE.compareAndSet(this, 0, GRANTED);
    }

    final boolean hasEnded() {
        return (state & ENDED) != 0;
    }

    /** Keeps the memory from its pool; false if the use has ended. */
    final boolean retain() {
        int now = state;
        while (now >= GRANTED) {
            if (STATE.compareAndSet(this, now, now + 1)) {
                return true;
            }
            now = state;
        }
        return false;
    }

    final void release() {
        if ((int) STATE.getAndAdd(this, -1) - 1 == (ENDED | GRANTED)) {
            returnBlock();
        }
    }

    /** Ends the use; false if it has ended before. */
    final boolean end() {
        int before = (int) STATE.getAndBitwiseOr(this, ENDED);
        if (before == GRANTED) {
            returnBlock();
        }
        return (before & ENDED) == 0;
    }

    private void returnBlock() {
        StageBuffers.Block returned = heldBlock();
        returned.pool().returned(returned);
    }
}
