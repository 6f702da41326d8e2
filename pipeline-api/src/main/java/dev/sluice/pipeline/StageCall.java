package dev.sluice.pipeline;

import dev.sluice.linux.Errno;
import java.lang.ref.WeakReference;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;
import org.reactivestreams.Subscription;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import reactor.core.CoreSubscriber;
import reactor.core.publisher.Mono;
import reactor.core.publisher.Operators;

/**
 * A request on its way through the stages, as the pipeline sees it: brings what they send on to the sink, and completes the request with their outcome.
 *
 * <p>The first outcome stands, wherever it comes from: the end of the Mono, a {@link BlockRequest#complete} of a stage, whatever a stage throws, the
 * {@linkplain #expire drain limit}. Later ones are logged and have no effect.
 *
 * <p>The completion waits for the kernel: where a stage gives up on a request (a timeout, say) that a sink still holds, its outcome is kept
 * until the sink has released it, because the guest may use the buffers again as soon as it is notified. For the same reason a stage that
 * has cancelled an attempt and tries again waits for the first attempt to come back.
 *
 * <p>Refers to the {@link StagedRequest} weakly: the stages' Mono refers to that as long as it can signal anything.
 *
 * <p><b>Threading:</b> the loop's, but for {@link #proceed}, {@link #enter} and {@link #stage}. <b>Allocation:</b> per request: that is what the bypass saves.
 */
final class StageCall extends WeakReference<StagedRequest> {
    private static final Logger LOG = LoggerFactory.getLogger(StageCall.class);

    private final BlockRequest request;
    /** The life of the pooled request that this is about. */
    private final int incarnation;

    private final RequestOwner owner;
    private final StageScope scope;
    /** Names the stage that got the request last. */
    private volatile String stage = "";

    // Confined to the loop.
    /** Bytes moved, or a negative errno; once it has {@link #ended}. */
    private int result;
    private boolean ended;
    /** Failed while a stage had it, which has not signalled anything since. */
    private boolean unreleased;

    private @Nullable Attempt inSink;
    /** In flight for it. */
    private int subRequests;
    private @Nullable Attempt next;

    /** Neighbours in the list of {@link StageHolds}. */
    @Nullable
    StageCall previousHeld;

    @Nullable
    StageCall nextHeld;

    StageCall(StagedRequest shown, BlockRequest request, RequestOwner owner) {
        super(shown, owner.scope().holds().lost());
        this.request = request;
        this.incarnation = request.incarnation();
        this.owner = owner;
        this.scope = owner.scope();
    }

    void begin() {
        scope.holds().add(this);
    }

    /** A stage gets the request now. Any thread. */
    void enter(String name) {
        stage = name;
    }

    /** The stage that got the request last. */
    String stage() {
        return stage;
    }

    /** The pooled request, which is this call's until it has {@linkplain #expire ended}. */
    BlockRequest request() {
        return request;
    }

    boolean inSink() {
        return inSink != null;
    }

    /** Whether the chain below has the request, or sub-requests for it. */
    boolean isBelow() {
        return inSink != null || subRequests > 0;
    }

    boolean isSubRequest() {
        return request instanceof SubRequest;
    }

    StageScope scope() {
        return scope;
    }

    /** Whether there is an outcome; the request may wait for its sink yet. */
    boolean ended() {
        return ended;
    }

    /** The end of the chain: submits on subscription, emits the sink's status. Any thread. */
    Mono<BlockResult> proceed(BlockRequest passedOn) {
        if (!refersTo(passedOn)) {
            return Mono.error(new IllegalArgumentException("a stage handed on another request than the one it got"));
        }
        return new Rest();
    }

    private boolean refersTo(BlockRequest passedOn) {
        return passedOn instanceof StagedRequest shown && super.refersTo(shown);
    }

    /**
     * The sink as a stage sees it: each subscription is an attempt. A {@code Mono.create} would do, but for operators that throw errors of the JVM at whoever
     * signals: it keeps them to itself.
     */
    private final class Rest extends Mono<BlockResult> {
        @Override
        public void subscribe(CoreSubscriber<? super BlockResult> actual) {
            actual.onSubscribe(new Attempt(actual));
        }
    }

    /** One subscription to the end of the chain. Submits at the first demand, for which one value is enough whatever it is. */
    private final class Attempt implements Subscription {
        private final CoreSubscriber<? super BlockResult> downstream;
        private final AtomicBoolean requested = new AtomicBoolean();
        private volatile boolean cancelled;

        Attempt(CoreSubscriber<? super BlockResult> downstream) {
            this.downstream = downstream;
        }

        @Override
        public void request(long n) {
            if (!Operators.validate(n) || !requested.compareAndSet(false, true)) {
                return;
            }
            if (request.loop().inLoop()) {
                submit(this);
                return;
            }
            try {
                request.loop().execute(() -> submit(this));
            } catch (RejectedExecutionException loopHasEnded) {
                downstream.onError(loopHasEnded);
            }
        }

        @Override
        public void cancel() {
            cancelled = true;
        }

        void emit(BlockResult value) {
            if (!cancelled) {
                downstream.onNext(value);
            }
            if (!cancelled) {
                downstream.onComplete();
            }
        }

        void refuse(String why) {
            downstream.onError(new IllegalStateException(why));
        }
    }

    private void submit(Attempt attempt) {
        if (attempt.cancelled) {
            return;
        }
        Attempt first = inSink;
        if (ended || request.incarnation() != incarnation) {
            refuse(attempt, "a stage sent a request down that has its outcome already");
        } else if (first == null) {
            inSink = attempt;
            request.listener((completed, value) -> sinkCompleted(attempt, value));
            StagedRequest shown = get();
            if (shown != null) {
                shown.mirror(BlockRequest.State.SUBMITTED, 0, request.loop().tickNanos());
            }
            scope.sink().submit(request);
        } else if (first.cancelled && (next == null || next.cancelled)) {
            next = attempt;
        } else {
            refuse(attempt, "a stage sent a request down that is in flight: " + request);
        }
    }

    private void refuse(Attempt attempt, String why) {
        try {
            attempt.refuse(why);
        } catch (Throwable failed) {
            signalled(null, failed);
        }
    }

    private void sinkCompleted(Attempt attempt, int value) {
        inSink = null;
        scope.sink().completed();
        StagedRequest shown = get();
        if (shown != null) {
            shown.mirror(BlockRequest.State.COMPLETED, value, request.submittedNanos());
        }
        if (ended) {
            finishWhenBack();
            if (!unreleased) {
                return;
            }
            // The stage hears of it all the same: that is how it comes to its end, and releases the memory.
        }
        Attempt again = next;
        next = null;
        if (again != null) {
            submit(again);
        } else {
            emit(attempt, value);
        }
    }

    /** Operators throw errors of the JVM at whoever signals. */
    private void emit(Attempt attempt, int value) {
        try {
            attempt.emit(BlockResult.of(value));
        } catch (Throwable failed) {
            signalled(null, failed);
        }
    }

    void subRequestStarted() {
        subRequests++;
    }

    void subRequestCompleted() {
        subRequests--;
        if (ended) {
            finishWhenBack();
        }
    }

    // ---- the outcome

    /** What an operator has thrown at a signal, on any thread. */
    void signalledAnywhere(Throwable thrown) {
        if (request.loop().inLoop()) {
            signalled(null, thrown);
        } else {
            request.loop().execute(() -> signalled(null, thrown));
        }
    }

    /** The stages' Mono has ended, with a result or an error or with neither; or a stage has thrown. */
    void signalled(@Nullable BlockResult value, @Nullable Throwable error) {
        if (ended) {
            late();
            return;
        }
        if (TruncatedMemoryException.isCauseOf(error)) {
            // No fault of the stage's: the queue logs the errno.
            decide(-Errno.EFAULT);
            return;
        }
        StagedRequest shown = get();
        decide(value == null ? -Errno.EIO : resultOf(value));
        // Logged last: where memory has run out that fails as well.
        if (value == null && scope.failures().admits()) {
            if (error == null) {
                LOG.error("{}: stage {} gave no outcome for {}; the request fails", owner, stage, shown);
            } else {
                LOG.error("{}: stage {} failed on {}; the request fails", owner, stage, shown, error);
            }
        }
    }

    /** A transfer that its stages call OK has moved everything. */
    private int resultOf(BlockResult value) {
        boolean transfer = request.op() == BlockOp.READ || request.op() == BlockOp.WRITE;
        return value.isOk() && transfer ? (int) Math.min(request.lengthBytes(), Integer.MAX_VALUE) : -value.errno();
    }

    /** A stage has completed the request itself. */
    void completed(int value) {
        if (ended) {
            late();
            return;
        }
        decide(value);
    }

    /** Nobody refers to the {@link StagedRequest} any more, so that no signal can come. */
    void unreachable() {
        scope.reclaim(this);
        if (ended) {
            release();
        } else {
            signalled(null,
                    new IllegalStateException("its Mono can never end: nothing refers to it any more, as when a thread has thrown an error of the JVM"));
        }
    }

    /**
     * The drain limit: fails the request with ECANCELED, now or when the sink has completed it. Its stage cannot copy its data any more.
     */
    void expire() {
        // First: a stage must not write to memory that is the guest's again.
        StagedRequest shown = get();
        if (shown != null) {
            shown.end();
        }
        unreleased = true;
        decide(-Errno.ECANCELED);
    }

    private void late() {
        if (unreleased) {
            release();
        } else if (scope.failures().admits()) {
            LOG.error("{}: stage {} gave a second outcome for a request; the first one stands", owner, stage);
        }
    }

    private void release() {
        if (unreleased) {
            unreleased = false;
            scope.holds().released(this);
        }
    }

    private void decide(int decided) {
        ended = true;
        result = decided;
        finishWhenBack();
    }

    /** The completion waits for the kernel. */
    private void finishWhenBack() {
        if (inSink == null && subRequests == 0) {
            finish();
        }
    }

    private void finish() {
        StagedRequest shown = get();
        if (shown != null) {
            shown.end();
        }
        if (!unreleased) {
            clear();
            scope.holds().remove(this);
        }
        if (request.incarnation() != incarnation) {
            // An operator that has kept the pooled request, say.
            if (scope.failures().admits()) {
                LOG.error("{}: a request that stage {} had was completed by somebody else", owner, stage);
            }
            return;
        }
        if (request.state() == BlockRequest.State.COMPLETED) {
            request.overrideResult(result);
            owner.completed(request, result, 0);
        } else {
            request.listener((completed, end) -> owner.completed(completed, end, 0));
            request.complete(result);
        }
    }
}
