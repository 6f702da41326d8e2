package dev.sluice.pipeline;

import java.util.Arrays;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;
import reactor.core.CoreSubscriber;
import reactor.core.Fuseable;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Operators;

/**
 * A {@link RequestQueue} as a {@code Flux}: emits up to demand; what is not demanded stays in the ring.
 *
 * <p>It ends with {@code onComplete} when the queue is {@linkplain #stop stopped} and with a {@link BrokenQueueException} when the
 * other side broke the ring. One subscriber at a time; after a cancellation another may come.
 *
 * <p><b>Threading:</b> signals are emitted on the queue's loop. {@code subscribe}, {@code request} and {@code cancel} may be called from any
 * thread and cost a hop from any but the loop's; all other methods belong to the loop.
 * <b>Ownership:</b> an emitted request must be {@linkplain BlockRequest#complete completed} by whoever gets it, or
 * {@linkplain BlockRequest#discard discarded}. <b>Allocation:</b> none per request.
 */
public final class QueueSource extends Flux<BlockRequest> implements Fuseable {
    /** Requests that one queue may take in one turn while others on its loop wait. */
    static final int TURN_BUDGET = 64;

    private final IoLoop loop;
    private final RequestQueue queue;
    private final IoLoop.Turn turn = this::takeTurn;
    private final AtomicReference<@Nullable Subscription> subscription = new AtomicReference<>();

    private boolean turnRequested;
    private boolean stopped;
    private @Nullable BrokenQueueException failure;
    private @Nullable Runnable whenDrained;
    private BlockRequest.CompletionListener untaken = (request, result) -> settle(request);

    /** The request objects that have ever been emitted, by slot: the queue's pool, as far as it has been seen. */
    private @Nullable BlockRequest[] seen;

    private long polled;

    public QueueSource(IoLoop loop, RequestQueue queue) {
        this.loop = loop;
        this.queue = queue;
        this.seen = new BlockRequest[queue.size()];
    }

    public IoLoop loop() {
        return loop;
    }

    public RequestQueue queue() {
        return queue;
    }

    // ---- for the adapter that feeds it

    /** The other side has kicked, or may have done so before anybody listened. */
    public void kicked() {
        loop.assertInLoop();
        if (!stopped) {
            queue.disableKicks();
            requestTurn();
        }
    }

    /**
     * Ends the Flux with {@code onComplete}; requests that are out go on. Runs {@code whenDrained} on the loop once none is, possibly inside
     * this call. A second call replaces the first one's callback.
     */
    public void stop(Runnable whenDrained) {
        loop.assertInLoop();
        this.whenDrained = whenDrained;
        if (!stopped) {
            stopped = true;
            Subscription current = subscription.get();
            if (current != null) {
                current.end(failure);
            }
        }
        tellWhenDrained();
    }

    // ---- for the pipeline

    /** The last step of every request: gives the answer to the other side. */
    void settle(BlockRequest request) {
        request.release();
        tellWhenDrained();
    }

    /** Who hears of requests that end before {@link BlockRequest#take}. */
    void untakenListener(BlockRequest.CompletionListener listener) {
        untaken = listener;
    }

    /** Requests polled so far. */
    long polled() {
        return polled;
    }

    /** True where the queue has been stopped or has broken, so that subscribing again is of no use. */
    boolean ended() {
        return stopped || failure != null;
    }

    /**
     * Ends the present subscription, if there is one, and fails every request that was emitted and that nobody has taken. To be called when the
     * subscriber has got its terminal signal and will see none of them any more.
     */
    void takeBack() {
        loop.assertInLoop();
        Subscription current = subscription.get();
        if (current != null) {
            current.cancel();
        }
        for (BlockRequest request : seen) {
            if (request != null) {
                request.discard();
            }
        }
    }

    private void tellWhenDrained() {
        Runnable told = whenDrained;
        if (told != null && queue.inFlight() == 0) {
            whenDrained = null;
            told.run();
        }
    }

    // ---- the Flux

    @Override
    public void subscribe(CoreSubscriber<? super BlockRequest> actual) {
        Subscription mine = new Subscription(actual);
        if (!subscription.compareAndSet(null, mine)) {
            Operators.error(actual, new IllegalStateException("queue " + queue.index() + " has a subscriber already; a queue allows one"));
            return;
        }
        actual.onSubscribe(mine);
        // The queue may have ended before, or have requests waiting: both are the loop's to know.
        if (loop.inLoop()) {
            mine.begin();
        } else {
            loop.execute(mine::begin);
        }
    }

    private void requestTurn() {
        if (!turnRequested) {
            turnRequested = true;
            loop.requestTurn(turn);
        }
    }

    private boolean takeTurn() {
        turnRequested = false;
        Subscription current = subscription.get();
        if (current != null && current.emit()) {
            turnRequested = true;
            return true;
        }
        return false;
    }

    /** The next request, or null with kicks enabled. */
    private @Nullable BlockRequest pollOrEnableKicks() {
        try {
            while (true) {
                BlockRequest request = queue.poll();
                if (request != null) {
                    request.listener(untaken);
                    polled++;
                    remember(request);
                    return request;
                }
                if (!queue.enableKicks()) {
                    return null;
                }
                queue.disableKicks();
            }
        } catch (BrokenQueueException broken) {
            failure = broken;
            throw broken;
        }
    }

    private void remember(BlockRequest request) {
        int slot = request.slot();
        if (slot >= seen.length) {
            seen = Arrays.copyOf(seen, slot + 1);
        }
        seen[slot] = request;
    }

    private final class Subscription implements QueueSubscription<BlockRequest> {
        private final CoreSubscriber<? super BlockRequest> actual;
        private volatile boolean cancelled;

        // Confined to the loop.
        private long demand;
        private boolean begun;
        private boolean done;
        private boolean fused;
        private int fusedBudget;
        private @Nullable BlockRequest peeked;

        Subscription(CoreSubscriber<? super BlockRequest> actual) {
            this.actual = actual;
        }

        void begin() {
            begun = true;
            if (stopped || failure != null) {
                end(failure);
            } else {
                requestTurn();
            }
        }

        /** Emits what there is, up to demand and the turn's budget; true where only the budget stopped it. */
        boolean emit() {
            if (!begun || done || cancelled || stopped) {
                return false;
            }
            try {
                if (fused) {
                    fusedBudget = TURN_BUDGET;
                    // Reactor's fusion protocol: "come and poll".
                    actual.onNext(null);
                    return false;
                }
                for (int budget = TURN_BUDGET; budget > 0; budget--) {
                    if (demand == 0) {
                        return false;
                    }
                    BlockRequest request = pollOrEnableKicks();
                    if (request == null) {
                        return false;
                    }
                    if (demand != Long.MAX_VALUE) {
                        demand--;
                    }
                    actual.onNext(request);
                    if (cancelled || done || stopped) {
                        return false;
                    }
                }
                return true;
            } catch (BrokenQueueException broken) {
                end(broken);
                return false;
            }
        }

        /** The terminal signal, once. */
        void end(@Nullable Throwable error) {
            if (!begun || done || cancelled) {
                return;
            }
            done = true;
            subscription.compareAndSet(this, null);
            if (error != null) {
                actual.onError(error);
            } else {
                actual.onComplete();
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
            if ((starved || fused) && begun && !done && !cancelled) {
                requestTurn();
            }
        }

        @Override
        public void cancel() {
            cancelled = true;
            onLoop(() -> {
                clear();
                subscription.compareAndSet(this, null);
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
                loop.execute(QueueSource.this::requestTurn);
                return null;
            }
            BlockRequest first = peeked;
            peeked = null;
            return first != null ? first : pollWithinBudget();
        }

        /** Whoever polls without end gets its next share in the next tick, when all others have had theirs. */
        private @Nullable BlockRequest pollWithinBudget() {
            if (!begun || done || cancelled || stopped) {
                return null;
            }
            if (fusedBudget == 0) {
                requestTurn();
                return null;
            }
            fusedBudget--;
            return pollOrEnableKicks();
        }

        @Override
        public boolean isEmpty() {
            if (!loop.inLoop()) {
                loop.execute(QueueSource.this::requestTurn);
                return true;
            }
            if (peeked == null) {
                peeked = pollWithinBudget();
            }
            return peeked == null;
        }

        @Override
        public int size() {
            return isEmpty() ? 0 : 1;
        }

        @Override
        public void clear() {
            BlockRequest first = peeked;
            peeked = null;
            if (first != null) {
                first.discard();
            }
        }
    }
}
