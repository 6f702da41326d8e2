package dev.sluice.device;

import dev.sluice.pipeline.BlockOp;
import org.reactivestreams.Subscription;
import reactor.core.CoreSubscriber;
import reactor.core.publisher.Operators;

/**
 * A call with a subscriber of its own: the first demand starts it, the answer is its value.
 *
 * <p><b>Threading:</b> demand and cancellation from any thread; the answer is signalled on the loop, a refusal on the thread of the first demand.
 *
 * @param <T> what the subscriber gets
 */
abstract class SubscribedIo<T> extends DeviceIo implements Subscription {
    final BlockDevice device;
    final CoreSubscriber<? super T> actual;

    SubscribedIo(BlockDevice device, BlockOp op, long offsetBytes, long lengthBytes, CoreSubscriber<? super T> actual) {
        super(op, offsetBytes, lengthBytes);
        this.device = device;
        this.actual = actual;
    }

    /**
     * Checks the arguments and pins the memory.
     *
     * @throws IllegalArgumentException for arguments that no device would take; nothing is pinned then
     * @throws BlockIoException for what this device does not do
     */
    abstract void prepare() throws BlockIoException;

    /** Tells the subscriber of the good end. */
    abstract void succeeded();

    @Override
    public final void request(long n) {
        if (!Operators.validate(n) || !move(State.IDLE, State.PREPARING)) {
            return;
        }
        try {
            prepare();
        } catch (BlockIoException | IllegalArgumentException refusal) {
            if (move(State.PREPARING, State.ENDED)) {
                actual.onError(refusal);
            }
            return;
        }
        if (nothingToDo()) {
            if (move(State.PREPARING, State.ENDED)) {
                succeeded();
            }
        } else if (move(State.PREPARING, State.WAITING)) {
            device.queue().submit(this);
        } else {
            unpin(device.buffers());
        }
    }

    /** True where the call is at its end without a request. Nothing is pinned then. */
    boolean nothingToDo() {
        return false;
    }

    @Override
    public final void cancel() {
        while (true) {
            State now = state();
            switch (now) {
                case IDLE, PREPARING -> {
                    if (move(now, State.CANCELLED)) {
                        return;
                    }
                }
                case WAITING -> {
                    if (move(State.WAITING, State.CANCELLED)) {
                        unpin(device.buffers());
                        return;
                    }
                }
                case TAKEN -> {
                    if (move(State.TAKEN, State.ORPHANED)) {
                        return;
                    }
                }
                case ENDED, CANCELLED, ORPHANED -> {
                    return;
                }
            }
        }
    }

    @Override
    final void answered(int result) {
        unpin(device.buffers());
        if (!move(State.TAKEN, State.ENDED)) {
            return;
        }
        if (result < 0) {
            actual.onError(BlockIoException.failed(op(), offsetBytes(), lengthBytes(), -result));
        } else {
            succeeded();
        }
    }

    @Override
    final void refused(Throwable reason) {
        unpin(device.buffers());
        actual.onError(reason);
    }
}
