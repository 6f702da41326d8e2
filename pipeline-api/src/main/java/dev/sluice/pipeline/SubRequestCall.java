package dev.sluice.pipeline;

import dev.sluice.linux.Errno;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.util.Objects;
import java.util.concurrent.RejectedExecutionException;
import org.reactivestreams.Subscription;
import reactor.core.CoreSubscriber;
import reactor.core.publisher.Operators;
import reactor.util.context.Context;

/**
 * One subscription to a sub-request: validates it at the first demand and brings it to the pool of its loop, later its result to the subscriber.
 *
 * <p><b>Threading:</b> {@link #request} and {@link #cancel} any, the rest the loop. <b>Failure:</b> see {@link SubRequests}. <b>Allocation:</b> itself, and a
 * task for the loop from another thread.
 */
final class SubRequestCall implements Subscription {
    private static final int CREATED = 0;
    private static final int REQUESTED = 1;
    private static final int CANCELLED = 2;
    private static final VarHandle STATE;

    static {
        try {
            STATE = MethodHandles.lookup().findVarHandle(SubRequestCall.class, "state", int.class);
        } catch (ReflectiveOperationException e) {
            throw new ExceptionInInitializerError(e);
        }
    }

    private final SubRequestMono asked;
    private final CoreSubscriber<? super BlockResult> actual;
    private volatile int state;

    SubRequestCall(SubRequestMono asked, CoreSubscriber<? super BlockResult> actual) {
        this.asked = asked;
        this.actual = actual;
    }

    SubRequestMono asked() {
        return asked;
    }

    Context context() {
        return actual.currentContext();
    }

    boolean cancelled() {
        return state == CANCELLED;
    }

    @Override
    public void request(long n) {
        if (!Operators.validate(n) || !STATE.compareAndSet(this, CREATED, REQUESTED)) {
            return;
        }
        try {
            int refused = validate();
            if (refused != 0 || isEmpty()) {
                emit(BlockResult.of(-refused));
            } else if (asked.chain().loop().inLoop()) {
                asked.chain().submit(this);
            } else {
                asked.chain().loop().execute(() -> asked.chain().submit(this));
            }
        } catch (IllegalArgumentException | IndexOutOfBoundsException | RejectedExecutionException mistakeOrEnd) {
            fail(mistakeOrEnd);
        }
    }

    @Override
    public void cancel() {
        state = CANCELLED;
    }

    private boolean isEmpty() {
        return asked.lengthBytes() == 0 && asked.op() != BlockOp.FLUSH;
    }

    /** The errno with which a disk refuses it, or 0. */
    private int validate() {
        BlockGeometry below = asked.chain().below();
        long offset = asked.offsetBytes();
        long length = asked.lengthBytes();
        if (((offset | length) & (BlockRequest.SECTOR_BYTES - 1)) != 0) {
            throw new IllegalArgumentException(asked + ": both must be multiples of 512");
        }
        if (!below.containsBytes(offset, length)) {
            throw new IllegalArgumentException(asked + " is not within the " + below.sizeBytes() + " bytes below stage " + asked.chain().stageName());
        }
        StageBuffer buffer = asked.buffer();
        if (buffer != null) {
            Objects.checkFromIndexSize(asked.bufferOffset(), length, buffer.bytes());
        }
        if (asked.op().modifies() && below.readOnly()) {
            return Errno.EROFS;
        }
        boolean unsupported = (asked.op() == BlockOp.DISCARD && !below.discard()) || (asked.op() == BlockOp.WRITE_ZEROES && !below.writeZeroes());
        return unsupported ? Errno.EOPNOTSUPP : 0;
    }

    /** The result, unless it was cancelled. Operators throw errors of the JVM at whoever signals. */
    void emit(BlockResult result) {
        try {
            if (state != CANCELLED) {
                actual.onNext(result);
            }
            if (state != CANCELLED) {
                actual.onComplete();
            }
        } catch (Throwable thrown) {
            asked.chain().failed(thrown);
        }
    }

    void fail(Throwable failure) {
        try {
            if (state != CANCELLED) {
                actual.onError(failure);
            }
        } catch (Throwable thrown) {
            asked.chain().failed(thrown);
        }
    }
}
