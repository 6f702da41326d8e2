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
     * Checks the arguments and pins the memory. Nothing is pinned where it throws, whatever it throws.
     *
     * @throws IllegalArgumentException for arguments that no device would take
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

    /** Lets go of what {@link #prepare} has pinned. Once, when neither the kernel nor {@link #copyBack} uses it any more. */
    void releaseMemory() {
        unpin(device.buffers());
    }

    /** True where a good end is followed by {@link #copyBack}. */
    boolean copiesBack() {
        return false;
    }

    /** Brings what was read to where it was asked for. On the loop, unless the call has been cancelled. */
    void copyBack() {}

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
    final void answered(int result) {
        if (result >= 0 && copiesBack()) {
            answeredByCopy();
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

    private void answeredByCopy() {
        // Before the move: who cancels after it finds this here until the copy has been made.
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
