package dev.sluice.pipeline;

import java.util.Objects;
import java.util.concurrent.CancellationException;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import org.reactivestreams.Subscription;
import reactor.core.CoreSubscriber;
import reactor.core.publisher.Mono;
import reactor.core.publisher.Operators;
import reactor.util.context.Context;

/**
 * One use of a buffer: asks for it at the first demand, has the stage do its work with it, passes the signals of that on, and ends with them or with a
 * cancellation.
 *
 * <p><b>Threading:</b> any. <b>Failure:</b> what the stage throws is the error signal. <b>Allocation:</b> itself.
 */
final class BufferUse<T> extends StageBuffer implements CoreSubscriber<T>, Subscription {

    /** The Mono of {@link SubRequests#useBuffer}. */
    static final class Source<T> extends Mono<T> {
        private final StageRequests chain;
        private final long bytes;
        private final Function<? super StageBuffer, ? extends Mono<T>> use;

        Source(StageRequests chain, long bytes, Function<? super StageBuffer, ? extends Mono<T>> use) {
            this.chain = chain;
            this.bytes = bytes;
            this.use = use;
        }

        @Override
        public void subscribe(CoreSubscriber<? super T> actual) {
            actual.onSubscribe(new BufferUse<>(this, actual));
        }
    }

    private final Source<T> source;
    private final CoreSubscriber<? super T> actual;
    private final AtomicBoolean requested = new AtomicBoolean();
    private volatile @Nullable Subscription work;

    private BufferUse(Source<T> source, CoreSubscriber<? super T> actual) {
        super(source.bytes);
        this.source = source;
        this.actual = actual;
    }

    // ---- the subscriber's side

    @Override
    public void request(long n) {
        if (!Operators.validate(n) || !requested.compareAndSet(false, true)) {
            return;
        }
        if (bytes() < 0 || bytes() > MAX_BYTES) {
            failed(new IllegalArgumentException("a buffer of " + bytes() + " bytes is not from 0 to " + MAX_BYTES + ": process the request piece by piece"));
        } else if (!source.chain.beginBuffer(this)) {
            failed(new IllegalStateException("stage " + source.chain.stageName()
                    + " uses a buffer already: take one with room for everything, and use parts of it"));
        } else if (hasEnded()) {
            // Cancelled meanwhile, which did not end what had not begun.
            source.chain.endBuffer(this);
        } else if (source.chain.loop().inLoop()) {
            acquire();
        } else {
            try {
                source.chain.loop().execute(this::acquire);
            } catch (RejectedExecutionException loopHasEnded) {
                failed(loopHasEnded);
            }
        }
    }

    private void acquire() {
        try {
            if (isOver()) {
                refused();
            } else {
                source.chain.buffers().acquire(this);
            }
        } catch (Throwable noSink) {
            failed(noSink);
        }
    }

    @Override
    public void cancel() {
        if (finish()) {
            Subscription running = work;
            if (running != null) {
                running.cancel();
            }
        }
    }

    /** Ends the use; false if it has ended before. The next one of the same request may begin. */
    private boolean finish() {
        boolean mine = end();
        if (mine) {
            source.chain.endBuffer(this);
        }
        return mine;
    }

    // ---- the pool's side, on the loop

    /** Whether nobody waits for it any more: its request has ended. */
    boolean isOver() {
        return source.chain.isOver();
    }

    /** For whom the buffer is in use; does not refer to what signals this. */
    Object owner() {
        return source.chain.owner();
    }

    /** There is no buffer for it: it was cancelled, or its request or its disk has ended. */
    void refused() {
        failed(new CancellationException("stage " + source.chain.stageName() + " waits for a buffer no longer: its request has ended, or its disk is closed"));
    }

    /** It has a buffer. */
    void run() {
        try {
            Mono<T> made = Objects.requireNonNull(source.use.apply(this), "the use of a buffer has no Mono");
            made.subscribe(this);
        } catch (Throwable thrown) {
            failed(thrown);
            Subscription running = work;
            if (running != null) {
                running.cancel();
            }
        }
    }

    void failed(Throwable failure) {
        if (finish()) {
            try {
                actual.onError(failure);
            } catch (Throwable thrown) {
                source.chain.failed(thrown);
            }
        }
    }

    // ---- the signals of the work

    @Override
    public Context currentContext() {
        return actual.currentContext();
    }

    @Override
    public void onSubscribe(Subscription subscription) {
        work = subscription;
        if (hasEnded()) {
            subscription.cancel();
        } else {
            subscription.request(Long.MAX_VALUE);
        }
    }

    @Override
    public void onNext(T value) {
        if (!hasEnded()) {
            actual.onNext(value);
        }
    }

    @Override
    public void onError(Throwable error) {
        if (finish()) {
            actual.onError(error);
        } else {
            Operators.onErrorDropped(error, actual.currentContext());
        }
    }

    @Override
    public void onComplete() {
        if (finish()) {
            actual.onComplete();
        }
    }
}
