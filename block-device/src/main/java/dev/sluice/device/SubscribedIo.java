package dev.sluice.device;

import dev.sluice.pipeline.BlockOp;
import org.reactivestreams.Subscription;
import reactor.core.CoreSubscriber;
import reactor.core.publisher.Operators;
import reactor.util.context.ContextView;

/**
 * A call with a subscriber of its own: the first demand starts it, its completion signals the value.
 *
 * <p><b>Threading:</b> demand and cancellation from any thread; a completion is signalled on the loop, a refusal on the thread of the first demand.
 *
 * @param <T> type of the value
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
     * Checks the arguments and pins the memory. Pins nothing if it throws.
     *
     * @throws IllegalArgumentException for arguments that no device accepts
     * @throws BlockIoException for operations that this device does not support
     */
    abstract void prepare() throws BlockIoException;

    @Override
    final ContextView context() {
        return actual.currentContext();
    }

    /** Signals success to the subscriber. */
    abstract void succeeded();

    @Override
    public final void request(long n) {
        if (!Operators.validate(n) || !move(State.IDLE, State.PREPARING)) {
            return;
        }
        try {
            prepare();
        } catch (Throwable refusal) {
            if (move(State.PREPARING, State.ENDED)) {
                Signals.error(actual, refusal);
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
            releaseMemory();
        }
    }

    /** Releases what {@link #prepare} has pinned. Once, when neither the kernel nor {@link #copyBack} uses it any more. */
    void releaseMemory() {
        unpin(device.buffers());
    }

    /** True if success is followed by {@link #copyBack}. */
    boolean copiesBack() {
        return false;
    }

    /** Copies the data that was read to the memory of the program. On the loop, unless the call has been cancelled. */
    void copyBack() {}

    /** True if the call completes without a request. Nothing is pinned then. */
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
                        releaseMemory();
                        return;
                    }
                }
                case TAKEN -> {
                    device.cancelledRequests().add(this);
                    if (move(State.TAKEN, State.ORPHANED)) {
                        return;
                    }
                    device.cancelledRequests().remove(this);
                }
                case ENDED, CANCELLED, ORPHANED -> {
                    return;
                }
            }
        }
    }

    @Override
    final void completed(int result) {
        if (result >= 0 && copiesBack()) {
            completeByCopy();
            return;
        }
        releaseMemory();
        if (!move(State.TAKEN, State.ENDED)) {
            device.cancelledRequests().remove(this);
        } else if (result < 0) {
            Signals.error(actual, BlockIoException.failed(op(), offsetBytes(), lengthBytes(), -result));
        } else {
            succeeded();
        }
    }

    private void completeByCopy() {
        // Before the move: whoever cancels after it finds this call here until the copy has been made.
        device.cancelledRequests().add(this);
        boolean wanted = move(State.TAKEN, State.ENDED);
        Throwable failure = null;
        try {
            if (wanted) {
                copyBack();
            }
        } catch (Throwable failed) {
            failure = failed;
        } finally {
            releaseMemory();
            device.cancelledRequests().remove(this);
        }
        if (failure != null) {
            Signals.error(actual, failure);
        } else if (wanted) {
            succeeded();
        }
    }

    @Override
    final void refused(Throwable reason) {
        releaseMemory();
        Signals.error(actual, reason);
    }
}
