package dev.sluice.pipeline;

import org.jspecify.annotations.Nullable;
import org.reactivestreams.Subscription;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import reactor.core.CoreSubscriber;
import reactor.core.Disposable;
import reactor.core.publisher.Mono;
import reactor.core.publisher.MonoSink;

/**
 * A request on its way through the stages: subscribes to their Mono and answers with its outcome.
 *
 * <p>The answer waits for the kernel: where a stage gives up on a request (a timeout, say) that a sink still holds, its outcome is kept
 * until the sink has let go, because the guest may use the buffers again as soon as it is told. For the same reason a stage that
 * has cancelled an attempt and tries again waits for the first attempt to come back.
 *
 * <p>Signals may come from any thread; they are brought to the loop. Allocates per request: that is what the bypass saves.
 */
final class StagedRequest implements CoreSubscriber<BlockStatus> {
    private static final Logger LOG = LoggerFactory.getLogger(StagedRequest.class);

    private final BlockRequest request;
    private final QueueSubscriber queue;
    private final SharedSink sink;
    private String stage = "";
    private @Nullable BlockStatus outcome;

    // Confined to the loop.
    private boolean ended;
    private @Nullable Attempt inSink;
    private @Nullable Attempt next;

    StagedRequest(BlockRequest request, QueueSubscriber queue, SharedSink sink) {
        this.request = request;
        this.queue = queue;
        this.sink = sink;
    }

    void run(StageChain stages, int first) {
        stage = stages.name(first);
        try {
            stages.handle(first, request, this::sinkMono).subscribe(this);
        } catch (Throwable failed) {
            // A stage of the program, whose fault must not cost the guest its request nor the loop its turn.
            onError(failed);
        }
    }

    /** What a request costs that has its Mono and no stage. */
    void runWithoutStages() {
        sinkMono(request).subscribe(this);
    }

    /** The end of the chain: submits on subscription, emits the sink's status. */
    private Mono<BlockStatus> sinkMono(BlockRequest passedOn) {
        if (passedOn != request) {
            return Mono.error(new IllegalArgumentException("a stage handed on another request than the one it got"));
        }
        return Mono.create(downstream -> {
            Attempt attempt = new Attempt(downstream);
            downstream.onDispose(attempt);
            if (request.loop().inLoop()) {
                submit(attempt);
            } else {
                request.loop().execute(() -> submit(attempt));
            }
        });
    }

    /** One subscription to the end of the chain. */
    private static final class Attempt implements Disposable {
        private final MonoSink<BlockStatus> downstream;
        private volatile boolean disposed;

        Attempt(MonoSink<BlockStatus> downstream) {
            this.downstream = downstream;
        }

        /** The stage has cancelled it, or has its answer. */
        @Override
        public void dispose() {
            disposed = true;
        }

        @Override
        public boolean isDisposed() {
            return disposed;
        }
    }

    private void submit(Attempt attempt) {
        if (attempt.disposed) {
            return;
        }
        Attempt first = inSink;
        if (ended) {
            attempt.downstream.error(new IllegalStateException("a stage sent a request down that it has given an outcome for"));
        } else if (first == null) {
            inSink = attempt;
            request.listener((completed, result) -> sinkCompleted(attempt, result));
            sink.submit(request);
        } else if (first.disposed && (next == null || next.disposed)) {
            next = attempt;
        } else {
            attempt.downstream.error(new IllegalStateException("a stage sent a request down that is in flight: " + request));
        }
    }

    private void sinkCompleted(Attempt attempt, int result) {
        inSink = null;
        sink.completed();
        if (ended) {
            finish();
            return;
        }
        Attempt again = next;
        next = null;
        if (again != null) {
            submit(again);
        } else {
            attempt.downstream.success(BlockStatus.ofResult(result));
        }
    }

    // ---- the outcome

    @Override
    public void onSubscribe(Subscription subscription) {
        subscription.request(Long.MAX_VALUE);
    }

    @Override
    public void onNext(BlockStatus status) {
        outcome = status;
    }

    @Override
    public void onError(Throwable error) {
        if (queue.failures().admits()) {
            LOG.error("stage {} failed on {}; the request fails", stage, request, error);
        }
        outcome = BlockStatus.IOERR;
        end();
    }

    @Override
    public void onComplete() {
        if (outcome == null) {
            if (queue.failures().admits()) {
                LOG.error("stage {} gave no outcome for {}; the request fails", stage, request);
            }
            outcome = BlockStatus.IOERR;
        }
        end();
    }

    private void end() {
        if (request.loop().inLoop()) {
            endOnLoop();
        } else {
            request.loop().execute(this::endOnLoop);
        }
    }

    private void endOnLoop() {
        if (ended) {
            if (queue.failures().admits()) {
                LOG.error("stage {} gave a second outcome for a request of queue {}; the first one stands", stage, request.queueIndex());
            }
            return;
        }
        ended = true;
        if (inSink == null) {
            finish();
        }
    }

    private void finish() {
        BlockStatus decided = outcome == null ? BlockStatus.IOERR : outcome;
        // What the sink said stands where the stages agree with it: it tells the errno.
        boolean answeredBySink = request.state() == BlockRequest.State.COMPLETED;
        int result = answeredBySink && BlockStatus.ofResult(request.result()) == decided ? request.result() : resultOf(decided);
        if (answeredBySink) {
            request.overrideResult(result);
            queue.finish(request, result, 0);
        } else {
            request.listener((completed, value) -> queue.finish(completed, value, 0));
            request.complete(result);
        }
    }

    /** What a stage decided without the sink; a transfer that it calls OK has moved everything. */
    private int resultOf(BlockStatus decided) {
        boolean transferred = decided == BlockStatus.OK && (request.op() == BlockOp.READ || request.op() == BlockOp.WRITE);
        return transferred ? (int) Math.min(request.lengthBytes(), Integer.MAX_VALUE) : decided.toResult();
    }
}
