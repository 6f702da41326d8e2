package dev.sluice.device;

import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;
import org.reactivestreams.Subscription;
import reactor.core.CoreSubscriber;
import reactor.core.publisher.Mono;
import reactor.core.publisher.Operators;

/**
 * Takes one object from a {@link Pool}, waiting in line if none is free. An object that arrives after a cancellation is released.
 *
 * @param <T> what is taken
 */
final class TakeMono<T extends AutoCloseable> extends Mono<T> {
    private final Pool<T> pool;

    TakeMono(Pool<T> pool) {
        this.pool = pool;
    }

    @Override
    public void subscribe(CoreSubscriber<? super T> actual) {
        actual.onSubscribe(new Taking<>(pool, actual));
    }

    private static final class Taking<T extends AutoCloseable> implements Subscription {
        private final Pool<T> pool;
        private final CoreSubscriber<? super T> actual;
        private final AtomicBoolean asked = new AtomicBoolean();
        private final AtomicBoolean done = new AtomicBoolean();

        Taking(Pool<T> pool, CoreSubscriber<? super T> actual) {
            this.pool = pool;
            this.actual = actual;
        }

        @Override
        public void request(long n) {
            if (Operators.validate(n) && asked.compareAndSet(false, true)) {
                attempt();
            }
        }

        private void attempt() {
            if (done.get()) {
                return;
            }
            @Nullable T taken;
            try {
                taken = pool.tryTake();
            } catch (Throwable failed) {
                if (done.compareAndSet(false, true)) {
                    actual.onError(failed instanceof IllegalStateException ? BlockIoException.closed() : failed);
                }
                return;
            }
            if (taken == null) {
                pool.whenAvailable(this::attempt);
            } else if (done.compareAndSet(false, true)) {
                deliver(taken);
            } else {
                pool.release(taken);
            }
        }

        /** If {@code onNext} throws, the object has no owner: it returns to the pool. */
        private void deliver(T taken) {
            try {
                actual.onNext(taken);
            } catch (Throwable failed) {
                pool.release(taken);
                actual.onError(failed);
                return;
            }
            actual.onComplete();
        }

        @Override
        public void cancel() {
            done.set(true);
        }
    }
}
