package dev.sluice.device;

import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;
import org.reactivestreams.Subscription;
import reactor.core.CoreSubscriber;
import reactor.core.publisher.Mono;
import reactor.core.publisher.Operators;

/**
 * Takes one thing from a {@link Lender}, waiting in line where all are out. What is taken when the subscriber has gone is given back.
 *
 * @param <T> what is taken
 */
final class TakeMono<T extends AutoCloseable> extends Mono<T> {
    private final Lender<T> lender;

    TakeMono(Lender<T> lender) {
        this.lender = lender;
    }

    @Override
    public void subscribe(CoreSubscriber<? super T> actual) {
        actual.onSubscribe(new Taking<>(lender, actual));
    }

    private static final class Taking<T extends AutoCloseable> implements Subscription {
        private final Lender<T> lender;
        private final CoreSubscriber<? super T> actual;
        private final AtomicBoolean asked = new AtomicBoolean();
        private final AtomicBoolean done = new AtomicBoolean();

        Taking(Lender<T> lender, CoreSubscriber<? super T> actual) {
            this.lender = lender;
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
                taken = lender.tryTake();
            } catch (Throwable failed) {
                if (done.compareAndSet(false, true)) {
                    actual.onError(failed instanceof IllegalStateException ? BlockIoException.closed() : failed);
                }
                return;
            }
            if (taken == null) {
                lender.whenAvailable(this::attempt);
            } else if (done.compareAndSet(false, true)) {
                deliver(taken);
            } else {
                lender.giveBack(taken);
            }
        }

        /** What is refused by an {@code Error} belongs to nobody: it goes back. */
        private void deliver(T taken) {
            try {
                actual.onNext(taken);
            } catch (Throwable failed) {
                lender.giveBack(taken);
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
