package dev.sluice.device;

import dev.sluice.pipeline.BlockOp;
import java.nio.ByteBuffer;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;
import reactor.core.Exceptions;

/**
 * A call whose thread waits for it, without a Mono.
 *
 * <p>If the thread is interrupted, a call that no loop has taken yet is withdrawn, and one that the kernel has is waited for: the memory is free when this
 * returns, and the result is known. If the caller can do without the result (a read into memory of the device's own, a flush), the call is left to the
 * kernel.
 *
 * <p><b>Threading:</b> created, submitted and awaited by one thread, which is not a loop's. <b>Allocation:</b> itself.
 */
final class BlockingIo extends DeviceIo {
    private final BlockDevice device;
    private final Thread caller = Thread.currentThread();
    private int result;
    private @Nullable Throwable refusal;
    private volatile boolean over;

    BlockingIo(BlockDevice device, BlockOp op, long offsetBytes) {
        super(op, offsetBytes, 0);
        this.device = device;
    }

    /** Checks the range and pins the memory; null for a FLUSH. */
    void prepare(@Nullable ByteBuffer memory) throws BlockIoException {
        if (memory != null) {
            int bytes = memory.remaining();
            device.limits().check(op(), offsetBytes(), bytes);
            long address = device.limits().address(op(), memory);
            device.limits().pin(address, memory);
            memory(address, bytes);
        }
        boolean _ = move(State.IDLE, State.WAITING);
    }

    /**
     * Waits until the call has completed, or has been withdrawn or left to the kernel.
     *
     * @param mayLeave whether an interrupted caller can leave it to the kernel
     * @return whether the thread was interrupted in the meantime; its flag is cleared
     */
    boolean await(boolean mayLeave) {
        boolean interrupted = false;
        while (!over) {
            LockSupport.park(this);
            if (Thread.interrupted()) {
                interrupted = true;
                if (move(State.WAITING, State.CANCELLED)) {
                    unpin(device.buffers());
                    return true;
                }
                if (mayLeave && move(State.TAKEN, State.ORPHANED)) {
                    return true;
                }
            }
        }
        return interrupted;
    }

    /** False if the call was withdrawn or left, so that its result is unknown. */
    boolean isOver() {
        return over;
    }

    /** Whether the ring was full. Valid when it {@linkplain #isOver is over}. */
    boolean hadNoRoom() {
        Throwable reason = refusal;
        return reason != null && Exceptions.isOverflow(reason);
    }

    /** Valid when it {@linkplain #isOver is over}. */
    void throwFailure() throws BlockIoException {
        Throwable reason = refusal;
        if (reason instanceof BlockIoException refused) {
            throw refused;
        }
        if (reason != null) {
            throw Exceptions.propagate(reason);
        }
        if (result < 0) {
            throw BlockIoException.failed(op(), offsetBytes(), lengthBytes(), -result);
        }
    }

    @Override
    void completed(int result) {
        unpin(device.buffers());
        if (move(State.TAKEN, State.ENDED)) {
            this.result = result;
            over = true;
            LockSupport.unpark(caller);
        }
    }

    @Override
    void refused(Throwable reason) {
        unpin(device.buffers());
        refusal = reason;
        over = true;
        LockSupport.unpark(caller);
    }
}
