package dev.sluice.pipeline;

import org.jspecify.annotations.Nullable;
import org.reactivestreams.Subscription;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import reactor.core.CoreSubscriber;
import reactor.core.publisher.Mono;
import reactor.core.publisher.MonoSink;

/**
 * A request on its way through the stages: subscribes to their Mono and answers with its outcome.
 *
 * <p>The answer waits for the kernel: where a stage gives up on a request (a timeout, say) that a sink still holds, its outcome is kept
 * until the sink has let go, because the guest may use the buffers again as soon as it is told.
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
    private @Nullable MonoSink<BlockStatus> waiting;

    StagedRequest(BlockRequest request, QueueSubscriber queue, SharedSink sink) {
        this.request = request;
        this.queue = queue;
        this.sink = sink;
    }

    void run(StageChain stages, int first) {
        stage = stages.name(first);
        Mono<BlockStatus> result;
        try {
            result = stages.handle(first, request, this::sinkMono);
        } catch (RuntimeException failed) {
            onError(failed);
            return;
        }
        result.subscribe(this);
    }

    /** The end of the chain: submits on subscription, emits the sink's status. */
    private Mono<BlockStatus> sinkMono(BlockRequest passedOn) {
        if (passedOn != request) {
            return Mono.error(new IllegalArgumentException("a stage handed on another request than the one it got"));
        }
        return Mono.create(downstream -> {
            if (request.loop().inLoop()) {
                submit(downstream);
            } else {
                request.loop().execute(() -> submit(downstream));
            }
        });
    }

    private void submit(MonoSink<BlockStatus> downstream) {
        if (ended || waiting != null) {
            downstream.error(new IllegalStateException("a stage sent a request down that "
                    + (ended ? "has ended" : "is in flight") + ": " + request));
            return;
        }
        waiting = downstream;
        request.listener((completed, result) -> sinkCompleted(downstream, result));
        sink.submit(request);
    }

    private void sinkCompleted(MonoSink<BlockStatus> downstream, int result) {
        waiting = null;
        sink.completed();
        if (ended) {
            finish();
        } else {
            downstream.success(BlockStatus.ofResult(result));
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
        LOG.error("stage {} failed on {}; the request fails", stage, request, error);
        outcome = BlockStatus.IOERR;
        end();
    }

    @Override
    public void onComplete() {
        if (outcome == null) {
            LOG.error("stage {} gave no outcome for {}; the request fails", stage, request);
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
        ended = true;
        if (waiting == null) {
            finish();
        }
    }

    private void finish() {
        BlockStatus decided = outcome == null ? BlockStatus.IOERR : outcome;
        // What the sink said stands where the stages agree with it: it tells the errno.
        boolean answeredBySink = request.state() == BlockRequest.State.COMPLETED;
        int result = answeredBySink && BlockStatus.ofResult(request.result()) == decided ? request.result() : decided.toResult();
        if (answeredBySink) {
            request.overrideResult(result);
            queue.finish(request, result, 0);
        } else {
            request.listener((completed, value) -> queue.finish(completed, value, 0));
            request.complete(result);
        }
    }
}
