package dev.sluice.pipeline;

import java.util.Arrays;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import reactor.core.CoreSubscriber;
import reactor.core.Fuseable;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Operators;

/**
 * A {@link RequestQueue} as a {@code Flux}: emits up to demand; what is not demanded stays in the ring.
 *
 * <p>While it is {@linkplain #pause paused} it emits nothing, whatever the demand. It ends with {@code onComplete} when the queue is {@linkplain #stop stopped}
 * and with a {@link BrokenQueueException} when the other side broke the ring. One subscriber at a time; after a cancellation another may come.
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
    private final IoLoop.Poller ring = new Ring();
    private final AtomicReference<@Nullable RingSubscription> subscription = new AtomicReference<>();

    private boolean turnRequested;
    /** The loop looks at the ring, so that kicks are needed only while it sleeps. */
    private boolean lookedAt;
    private boolean paused;
    private boolean stopped;
    private @Nullable BrokenQueueException failure;
    private @Nullable Runnable whenDrained;
    private @Nullable Runnable whenIdle;
    private BlockRequest.CompletionListener whenHeldByOperators = (request, result) -> settle(request);

    /** The request objects that have ever been emitted, by slot: the queue's pool, as far as it has been seen. */
    private @Nullable BlockRequest[] seen = new BlockRequest[16];

    private long polled;
    private long reported;
    private Listener listener = new Listener() {};

    /** Hears of what the queue does; must not throw. */
    interface Listener {
        /** A turn has taken requests. */
        default void taken(int requests, int inFlight) {}

        /** The queue was stopped while requests are in flight. */
        default void draining() {}

        /** The queue was stopped and nothing is in flight: whoever stopped it is notified next, and may give the queue to another loop. */
        default void drained() {}

        /** See {@link QueueSource#whenReleased}. */
        default void whenReleased(Runnable then) {
            then.run();
        }

        /** The subscriber has thrown, which only operators of the program do. True where the present subscription is given up for it. */
        default boolean operatorsFailed(Throwable thrown) {
            return false;
        }
    }

    public QueueSource(IoLoop loop, RequestQueue queue) {
        this.loop = loop;
        this.queue = queue;
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
     * Takes no further requests until {@link #resume}: what the other side submits stays in the ring. Requests in flight continue. Runs {@code whenIdle} on the
     * loop once none is, possibly inside this call. A second call replaces the first one's callback.
     */
    public void pause(Runnable whenIdle) {
        loop.assertInLoop();
        paused = true;
        this.whenIdle = whenIdle;
        notifyWhenIdle();
    }

    /** Takes requests again. A callback of {@link #pause} that has not run never does. */
    public void resume() {
        loop.assertInLoop();
        paused = false;
        whenIdle = null;
        if (!ended()) {
            requestTurn();
        }
    }

    /**
     * Ends the Flux with {@code onComplete}; requests in flight continue. Runs {@code whenDrained} on the loop once none is, possibly inside
     * this call. A second call replaces the first one's callback.
     */
    public void stop(Runnable whenDrained) {
        loop.assertInLoop();
        this.whenDrained = whenDrained;
        stopped = true;
        RingSubscription current = subscription.get();
        if (current != null) {
            current.end(failure);
        }
        notifyWhenDrained();
        if (this.whenDrained != null) {
            listener.draining();
        }
    }

    /**
     * Once the queue has drained: runs {@code then} on the loop, possibly inside this call, when nobody uses the memory of its requests any more. That is later
     * where requests were failed while a stage held them, and never where a stage never releases one. Only then may that memory be unmapped.
     */
    public void whenReleased(Runnable then) {
        loop.assertInLoop();
        listener.whenReleased(then);
    }

    // ---- for the pipeline

    /** The last step of every request: shows the completion to the other side. */
    void settle(BlockRequest request) {
        request.release();
        notifyWhenIdle();
        notifyWhenDrained();
    }

    /** Who is notified of requests that end before {@link BlockRequest#take}. */
    void heldByOperatorsListener(BlockRequest.CompletionListener listener) {
        whenHeldByOperators = listener;
    }

    void listener(Listener listener) {
        this.listener = listener;
    }

    /** Requests polled so far. */
    long polled() {
        return polled;
    }

    /** True where the queue has been stopped or has broken, so that subscribing again is of no use. */
    boolean ended() {
        return stopped || failure != null;
    }

    @Nullable
    BrokenQueueException failure() {
        return failure;
    }

    /** The subscription has ended: another may come. */
    void forget(RingSubscription ended) {
        subscription.compareAndSet(ended, null);
    }

    /**
     * Ends the present subscription, if there is one, and fails every request that was emitted and that nobody has taken. To be called when the
     * subscriber has got its terminal signal and will see none of them any more.
     */
    void takeBack() {
        loop.assertInLoop();
        RingSubscription current = subscription.get();
        if (current != null) {
            current.cancel();
        }
        for (BlockRequest request : seen) {
            if (request != null) {
                request.discard();
            }
        }
    }

    /** Shows every request that was emitted and that nobody has taken; returns how many. */
    int heldByOperators(Consumer<BlockRequest> each) {
        int count = 0;
        for (BlockRequest request : seen) {
            if (request != null && request.untouched()) {
                each.accept(request);
                count++;
            }
        }
        return count;
    }

    /** The subscriber has thrown; see {@link Listener#operatorsFailed}. */
    boolean operatorsFailed(Throwable thrown) {
        return listener.operatorsFailed(thrown);
    }

    private void notifyWhenIdle() {
        Runnable notified = whenIdle;
        if (notified != null && queue.inFlight() == 0) {
            whenIdle = null;
            notified.run();
        }
    }

    private void notifyWhenDrained() {
        Runnable notified = whenDrained;
        if (notified != null && queue.inFlight() == 0) {
            whenDrained = null;
            listener.drained();
            notified.run();
        }
    }

    // ---- the Flux

    @Override
    public void subscribe(CoreSubscriber<? super BlockRequest> actual) {
        RingSubscription mine = new RingSubscription(this, actual);
        if (!admitted(mine)) {
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

    /** One that has been cancelled makes room at once, though the loop has yet to clear it up. */
    private boolean admitted(RingSubscription mine) {
        while (true) {
            RingSubscription current = subscription.get();
            if (current != null && !current.cancelled()) {
                return false;
            }
            if (subscription.compareAndSet(current, mine)) {
                return true;
            }
        }
    }

    void requestTurn() {
        if (!turnRequested) {
            turnRequested = true;
            loop.requestTurn(turn);
        }
    }

    private boolean takeTurn() {
        turnRequested = false;
        RingSubscription current = subscription.get();
        long before = polled;
        try {
            boolean more = current != null && current.emit();
            // The loop gives it another one without being asked.
            turnRequested |= more;
            return more;
        } catch (Throwable fatal) {
            // What a subscriber must not do; the loop logs it. The requests behind the one that it happened on still get their turn.
            if (polled != before) {
                requestTurn();
            }
            throw fatal;
        } finally {
            reportTaken();
        }
    }

    private void reportTaken() {
        if (polled != reported) {
            int taken = (int) (polled - reported);
            reported = polled;
            listener.taken(taken, queue.inFlight());
        }
    }

    /** The next request, or null with kicks enabled, or a loop that looks by itself, or while it is paused. */
    @Nullable
    BlockRequest pollOrEnableKicks() {
        if (paused) {
            return null;
        }
        try {
            while (true) {
                BlockRequest request = queue.poll();
                if (request != null) {
                    request.listener(whenHeldByOperators);
                    polled++;
                    remember(request);
                    return request;
                }
                if (lookedAt || loop.addPoller(ring)) {
                    lookedAt = true;
                    return null;
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

    /** How a loop that spins sees the queue. */
    private final class Ring implements IoLoop.Poller {
        @Override
        public boolean poll() {
            try {
                return leavesFor(ended() || (!paused && queue.available()));
            } catch (Throwable failed) {
                dropped();
                throw failed;
            }
        }

        @Override
        public boolean armNotifications() {
            try {
                return leavesFor(ended() || (!paused && queue.enableKicks()));
            } catch (Throwable failed) {
                dropped();
                throw failed;
            }
        }

        @Override
        public void disarmNotifications() {
            try {
                queue.disableKicks();
            } catch (Throwable failed) {
                dropped();
                throw failed;
            }
        }

        /** A loop does not look any more at what has thrown. The turn has it look again, or asks the other side for kicks. */
        private void dropped() {
            lookedAt = false;
            requestTurn();
        }

        /** A loop looks no more at what has returned true. */
        private boolean leavesFor(boolean work) {
            if (work) {
                lookedAt = false;
                if (!ended()) {
                    queue.disableKicks();
                    requestTurn();
                }
            }
            return work;
        }
    }

    private void remember(BlockRequest request) {
        int slot = request.slot();
        if (slot >= seen.length) {
            seen = Arrays.copyOf(seen, 2 * slot);
        }
        seen[slot] = request;
    }
}
