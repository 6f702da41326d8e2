package dev.sluice.pipeline;

import org.jspecify.annotations.Nullable;
import reactor.core.CoreSubscriber;
import reactor.core.Fuseable;
import reactor.core.publisher.Operators;

/**
 * One subscriber's hold on a {@link QueueSource}: its demand, and the fused queue where it asked for one.
 *
 * <p><b>Threading:</b> {@link #request} and {@link #cancel} from any thread, signals on the loop. A fused poll from another thread finds
 * nothing and calls the subscriber back on the loop. <b>Allocation:</b> none per request.
 */
final class RingSubscription implements Fuseable.QueueSubscription<BlockRequest> {
    private final QueueSource source;
    private final IoLoop loop;
    private final CoreSubscriber<? super BlockRequest> actual;
    private volatile boolean cancelled;

    // Confined to the loop.
    private long demand;
    private boolean begun;
    private boolean done;
    private boolean fused;
    private int fusedBudget;
    private @Nullable BlockRequest peeked;
    /** The life of the peeked request: the source may have failed it since. */
    private int peekedIncarnation;

    RingSubscription(QueueSource source, CoreSubscriber<? super BlockRequest> actual) {
        this.source = source;
        this.loop = source.loop();
        this.actual = actual;
    }

    boolean cancelled() {
        return cancelled;
    }

    void begin() {
        begun = true;
        if (source.ended()) {
            end(source.failure());
        } else {
            source.requestTurn();
        }
    }

    /** Emits what there is, up to demand and the turn's budget; true where only the budget ended it. */
    boolean emit() {
        if (!begun || cancelled) {
            return false;
        }
        boolean more = false;
        BrokenQueueException found = source.failure();
        if (found != null) {
            end(found);
        } else if (fused) {
            fusedBudget = QueueSource.TURN_BUDGET;
            // Reactor's fusion protocol: "come and poll".
            signal(null);
        } else {
            more = emitDemanded();
        }
        return more;
    }

    private boolean emitDemanded() {
        int budget = QueueSource.TURN_BUDGET;
        try {
            while (budget > 0 && demand > 0 && !cancelled && !done) {
                BlockRequest request = source.pollOrEnableKicks();
                if (request == null) {
                    return false;
                }
                budget--;
                // Of unbounded demand too: it never ends.
                demand--;
                signal(request);
            }
        } catch (BrokenQueueException broken) {
            end(broken);
        }
        return budget == 0;
    }

    /**
     * A request, or null for "come and poll". Operators throw errors of the JVM at whoever signals; they are in no defined state then, and get no other signal.
     */
    private void signal(@Nullable BlockRequest request) {
        try {
            actual.onNext(request);
        } catch (Throwable thrown) {
            failed(thrown);
        }
    }

    private void failed(Throwable thrown) {
        if (!source.operatorsFailed(thrown)) {
            throw unchecked(thrown);
        }
        done = true;
        cancel();
    }

    private static RuntimeException unchecked(Throwable thrown) {
        if (thrown instanceof Error error) {
            throw error;
        }
        return thrown instanceof RuntimeException exception ? exception : new IllegalStateException(thrown);
    }

    /** The terminal signal, once. */
    void end(@Nullable Throwable error) {
        if (!begun || done || cancelled) {
            return;
        }
        done = true;
        source.forget(this);
        try {
            if (error != null) {
                actual.onError(error);
            } else {
                actual.onComplete();
            }
        } catch (Throwable thrown) {
            failed(thrown);
        }
    }

    @Override
    public void request(long n) {
        if (!Operators.validate(n)) {
            // Reactive Streams §3.9: a demand of zero or less is an error of the subscriber.
            onLoop(() -> {
                begun = true;
                end(new IllegalArgumentException("Reactive Streams §3.9: demand of " + n + " is not positive"));
            });
        } else if (loop.inLoop()) {
            addDemand(n);
        } else {
            loop.execute(() -> addDemand(n));
        }
    }

    private void addDemand(long n) {
        boolean starved = demand == 0;
        demand = Operators.addCap(demand, n);
        if (starved || fused) {
            source.requestTurn();
        }
    }

    @Override
    public void cancel() {
        cancelled = true;
        onLoop(() -> {
            clear();
            source.forget(this);
        });
    }

    private void onLoop(Runnable task) {
        if (loop.inLoop()) {
            task.run();
        } else {
            loop.execute(task);
        }
    }

    // ---- fusion: the downstream polls on the loop, without a signal per request

    @Override
    public int requestFusion(int requestedMode) {
        // The ring is confined to the loop: whoever says that it would poll it from another thread is refused. An operator may
        // still come from the thread that its own downstream requests on; it finds nothing there and is called on the loop.
        if ((requestedMode & Fuseable.ASYNC) != 0 && (requestedMode & Fuseable.THREAD_BARRIER) == 0) {
            fused = true;
            return Fuseable.ASYNC;
        }
        return Fuseable.NONE;
    }

    @Override
    public @Nullable BlockRequest poll() {
        if (!loop.inLoop()) {
            loop.execute(source::requestTurn);
            return null;
        }
        BlockRequest first = takePeeked();
        return first != null ? first : pollWithinBudget();
    }

    private @Nullable BlockRequest takePeeked() {
        BlockRequest first = peeked;
        peeked = null;
        return first != null && first.incarnation() == peekedIncarnation ? first : null;
    }

    /**
     * Whoever polls without end gets its next share in the next tick, when all others have had theirs.
     *
     * <p>A broken ring is reported in a turn of its own and not thrown: an operator in the middle of its drain loop, which some of Reactor's
     * never leave in order then, would keep the terminal signal to itself for good.
     */
    private @Nullable BlockRequest pollWithinBudget() {
        if (done || cancelled || source.ended()) {
            return null;
        }
        if (fusedBudget == 0) {
            source.requestTurn();
            return null;
        }
        fusedBudget--;
        try {
            return source.pollOrEnableKicks();
        } catch (BrokenQueueException kept) {
            source.requestTurn();
            return null;
        }
    }

    @Override
    public boolean isEmpty() {
        if (!loop.inLoop()) {
            loop.execute(source::requestTurn);
            return true;
        }
        BlockRequest first = takePeeked();
        if (first == null) {
            first = pollWithinBudget();
        }
        if (first == null) {
            return true;
        }
        peeked = first;
        peekedIncarnation = first.incarnation();
        return false;
    }

    @Override
    public int size() {
        return isEmpty() ? 0 : 1;
    }

    @Override
    public void clear() {
        BlockRequest first = takePeeked();
        if (first != null) {
            first.discard();
        }
    }
}
