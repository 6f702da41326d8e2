package dev.sluice.device;

import dev.sluice.linux.Iovec;
import dev.sluice.pipeline.BlockOp;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import org.jspecify.annotations.Nullable;
import reactor.util.context.Context;
import reactor.util.context.ContextView;

/**
 * One call of a program: its arguments and its state.
 *
 * <p>States, and what moves a call between them:
 * <pre>
 * IDLE      -> PREPARING   the first demand; its thread checks the arguments and pins the buffers
 * PREPARING -> WAITING     about to be offered to the ring
 * PREPARING -> ENDED       refused
 * WAITING   -> TAKEN       the loop has polled it: from here on the kernel may use the memory
 * WAITING   -> ENDED       refused: the ring is full, the device closed
 * TAKEN     -> ENDED       completed
 * IDLE, PREPARING, WAITING -> CANCELLED   the program has cancelled; the loop will never take it
 * TAKEN     -> ORPHANED    the program has cancelled; the memory stays pinned until the completion, which nobody observes
 * </pre>
 * Every transition is a compare-and-set, so that exactly one of several threads can end a call. Whoever moves it from WAITING to ENDED or CANCELLED, and
 * the loop when the request completes in any state, unpins the buffers.
 *
 * <p><b>Threading:</b> the arguments are written before WAITING and read after TAKEN; the ring orders the two. <b>Ownership:</b> references the program's
 * buffers strongly until the completion. <b>Allocation:</b> itself, one per call.
 */
abstract class DeviceIo {
    enum State {
        IDLE,
        PREPARING,
        WAITING,
        TAKEN,
        ENDED,
        CANCELLED,
        ORPHANED
    }

    private static final VarHandle STATE;

    static {
        try {
            STATE = MethodHandles.lookup().findVarHandle(DeviceIo.class, "state", State.class);
        } catch (ReflectiveOperationException e) {
            throw new ExceptionInInitializerError(e);
        }
    }

    private volatile State state = State.IDLE;
    private final BlockOp op;
    private final long offsetBytes;
    private long lengthBytes;
    private long address;

    /** Address and length of each segment, alternating, for more than one. */
    private long @Nullable [] segments;

    DeviceIo(BlockOp op, long offsetBytes, long lengthBytes) {
        this.op = op;
        this.offsetBytes = offsetBytes;
        this.lengthBytes = lengthBytes;
    }

    final State state() {
        return state;
    }

    final boolean move(State from, State to) {
        return STATE.compareAndSet(this, from, to);
    }

    final BlockOp op() {
        return op;
    }

    final long offsetBytes() {
        return offsetBytes;
    }

    final long lengthBytes() {
        return lengthBytes;
    }

    /** Sets one segment. While PREPARING. */
    final void memory(long address, long lengthBytes) {
        this.address = address;
        this.lengthBytes = lengthBytes;
    }

    /** Sets more than one segment. While PREPARING; keeps the array. */
    final void memory(long[] segments, long lengthBytes) {
        this.segments = segments;
        this.lengthBytes = lengthBytes;
    }

    /** Writes the iovecs of this call; returns how many. On the loop. */
    final int layOut(long iovecs) {
        long[] many = segments;
        if (many == null) {
            if (address == 0) {
                return 0;
            }
            Iovec.set(iovecs, 0, address, lengthBytes);
            return 1;
        }
        for (int i = 0; i < many.length / 2; i++) {
            Iovec.set(iovecs, i, many[2 * i], many[2 * i + 1]);
        }
        return many.length / 2;
    }

    /** Unpins the pooled buffers among its memory. Once. */
    final void unpin(BlockBufferPool pool) {
        long[] many = segments;
        if (many == null) {
            pool.unpin(address);
            return;
        }
        for (int i = 0; i < many.length; i += 2) {
            pool.unpin(many[i]);
        }
    }

    /** Whether any of its memory overlaps {@code memory}. */
    boolean uses(MemorySegment memory) {
        return false;
    }

    /** The Reactor context of whoever waits for it; stages see it. */
    ContextView context() {
        return Context.empty();
    }

    /** Whether a WRITE_ZEROES may deallocate the range. */
    boolean mayUnmap() {
        return false;
    }

    /**
     * The kernel, or a stage, has completed it. On the loop, once; in state TAKEN or ORPHANED.
     *
     * @param result zero or more, or a negative errno
     */
    abstract void completed(int result);

    /** It was refused. In state ENDED; on the thread that submitted. */
    abstract void refused(Throwable reason);
}
