package dev.sluice.pipeline;

import dev.sluice.linux.Errno;
import org.jspecify.annotations.Nullable;
import org.reactivestreams.Subscription;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import reactor.core.CoreSubscriber;

/**
 * The end of a queue's Flux: decides the bypass, request by request, hands requests to the loop's sink and their results back to the queue.
 *
 * <p>Its demand is a window: as many requests as the queue can have out or the sink can take, one more for each that has ended.
 *
 * <p>The operators before it belong to the program and may fail, complete or change the thread. One subscription to them is a
 * {@link OperatorSubscription}; when it ends and the queue has not, the requests that got lost in it fail and the next one begins.
 *
 * <p>Loop thread only, but for the signals of a {@code OperatorSubscription}.
 */
final class QueueSubscriber implements RequestOwner, BlockRequest.CompletionListener {
    private static final Logger LOG = LoggerFactory.getLogger(QueueSubscriber.class);

    /** Operators that end sooner and without a request would end again and again, and keep the loop busy with it. */
    private static final long BROKEN_WITHIN_NANOS = 1_000_000_000L;

    /** In flight together for one stage; else two for each request of the window. */
    private static final int MAX_SUB_REQUESTS = 256;

    private final QueueSource source;
    private final IoLoop loop;
    private final SharedSink sink;
    private final BlockPipeline pipeline;
    private final StageChain stages;
    private final PipelineObserver observer;
    private final RateLimitedLog failures;
    private final RateLimitedLog ioErrors = new RateLimitedLog(LOG);
    private final boolean observed;
    private final int window;
    private final StageScope scope;
    private final QueueDrain drain;
    private final CompletionRun run;
    private final IoLoop.TickEndHook endOfTick = this::endTick;

    private @Nullable OperatorSubscription subscription;
    private int outstanding;
    private boolean fenced;
    /** {@link #endTick} comes. */
    private boolean hooked;

    QueueSubscriber(QueueSource source, SharedSink sink, BlockPipeline pipeline) {
        this.source = source;
        this.loop = source.loop();
        this.sink = sink;
        this.pipeline = pipeline;
        DiskStages disk = pipeline.disk();
        this.stages = disk.chain();
        this.observer = pipeline.observer();
        this.observed = observer != PipelineObserver.NONE;
        this.run = new CompletionRun(observer, source.queue().index());
        this.window = Math.min(source.queue().size(), sink.capacity());
        int index = source.queue().index();
        this.scope = new StageScope(loop, index, sink, disk, disk.on(loop, sink).buffers(), Math.min(MAX_SUB_REQUESTS, 2 * window), LOG, this);
        this.failures = scope.failures();
        this.drain = new QueueDrain(this, source, scope.holds(), pipeline);
    }

    @Override
    public StageScope scope() {
        return scope;
    }

    IoLoop loop() {
        return loop;
    }

    /** Where the queue is being stopped: what stages have fails now and not at the drain limit. */
    void cutDrainShort() {
        loop.assertInLoop();
        drain.cutShort();
    }

    void subscribe() {
        source.heldByOperatorsListener(this::lost);
        source.listener(new ObservedQueue());
        OperatorSubscription begun = new OperatorSubscription();
        subscription = begun;
        if (fenced) {
            source.subscribe(begun);
            return;
        }
        try {
            pipeline.assemble(source, begun::discarded, begun::failedOn).subscribe(begun);
        } catch (Throwable failed) {
            begun.onError(failed);
        }
    }

    /** One subscription to the operators. Signals may come from any thread; they are brought to the loop. */
    private final class OperatorSubscription implements CoreSubscriber<BlockRequest> {
        private final long begunNanos = loop.tickNanos();
        private final long polledBefore = source.polled();
        private volatile boolean ended;
        private volatile @Nullable Subscription upstream;

        @Override
        public void onSubscribe(Subscription subscription) {
            if (loop.inLoop()) {
                begin(subscription);
            } else {
                loop.execute(() -> begin(subscription));
            }
        }

        private void begin(Subscription subscription) {
            upstream = subscription;
            if (window > outstanding) {
                subscription.request(window - outstanding);
            }
        }

        @Override
        public void onNext(BlockRequest request) {
            if (loop.inLoop()) {
                take(this, request);
            } else {
                loop.execute(() -> take(this, request));
            }
        }

        void requestOne() {
            Subscription current = upstream;
            if (current != null) {
                current.request(1);
            }
        }

        /** What the operators drop. Once they have ended, {@link #over} sees to what is left. */
        void discarded(BlockRequest request) {
            // Read before `ended`: until that is set nobody else ends the request, so that this is the life of it that was dropped.
            int incarnation = request.incarnation();
            if (!ended) {
                request.discard(incarnation);
            }
        }

        /** An operator has failed on something with an error of the JVM, which it would throw where nobody catches it; it continues with the next. */
        void failedOn(Throwable error, Object value) {
            if (value instanceof BlockRequest request) {
                if (TruncatedMemoryException.isCauseOf(error)) {
                    request.discard(request.incarnation(), Errno.EFAULT);
                    return;
                }
                discarded(request);
                if (failures.admits()) {
                    LOG.error("{}: an operator of the pipeline failed on a request, which fails", QueueSubscriber.this, error);
                }
            } else {
                // It holds requests that are not known here.
                end(error);
                cancel();
            }
        }

        private void cancel() {
            Subscription current = upstream;
            try {
                if (current != null) {
                    current.cancel();
                }
            } catch (Throwable failed) {
                LOG.error("{}: an operator of the pipeline failed when it was cancelled", QueueSubscriber.this, failed);
            }
        }

        @Override
        public void onError(Throwable error) {
            end(error);
        }

        @Override
        public void onComplete() {
            end(null);
        }

        private void end(@Nullable Throwable error) {
            ended = true;
            // Through the mailbox from the loop's thread too: requests that came out on another thread are in there.
            loop.execute(() -> over(this, error));
        }
    }

    private void over(OperatorSubscription ended, @Nullable Throwable error) {
        if (subscription != ended) {
            return;
        }
        subscription = null;
        source.takeBack();
        if (source.ended()) {
            if (error != null) {
                LOG.error("{}; the queue has ended, others continue", error.getMessage());
            }
            return;
        }
        if (failures.admits()) {
            LOG.error("{}: the operators of the pipeline have ended; what they held fails and the queue continues", this, error);
        }
        if (source.polled() == ended.polledBefore && loop.tickNanos() - ended.begunNanos < BROKEN_WITHIN_NANOS) {
            LOG.error("{}: the operators end without having seen a request; the queue is quarantined, all its requests fail", this);
            fenced = true;
        }
        subscribe();
    }

    private void take(OperatorSubscription from, BlockRequest request) {
        if (subscription != from) {
            if (failures.admits()) {
                LOG.error("{}: operators of the pipeline passed a request on after their end; it has failed before", this);
            }
            return;
        }
        if (!request.untouched()) {
            if (failures.admits()) {
                LOG.error("{}: the operators of the pipeline passed a request on that has ended or was passed on before: {}", this, request);
            }
            // It has used up demand that stands for a request.
            requestOne();
            return;
        }
        request.take(this);
        outstanding++;
        int incarnation = request.incarnation();
        try {
            if (fenced) {
                request.complete(-Errno.EIO);
            } else {
                route(request);
            }
        } catch (Throwable failed) {
            // No memory for the objects of a stage, say.
            if (request.incarnation() == incarnation && request.state() == BlockRequest.State.PARSED) {
                request.complete(-Errno.EIO);
            }
            LOG.error("{}: a request fails on an error of Sluice, or for want of memory", this, failed);
        }
    }

    private void route(BlockRequest request) {
        int stage;
        try {
            stage = stages.firstInterested(request, 0);
        } catch (Throwable failed) {
            BlockOp op = request.op();
            long sector = request.sector();
            boolean truncated = TruncatedMemoryException.isCauseOf(failed);
            request.complete(truncated ? -Errno.EFAULT : -Errno.EIO);
            // Logged last: where memory has run out that fails as well.
            if (!truncated && failures.admits()) {
                LOG.error("{}: a stage failed when asked whether it is interested in {} at sector {}; the request fails", this, op, sector, failed);
            }
            return;
        }
        if (stage >= 0) {
            new StagedRequest(request, this).run(stages, stage);
        } else {
            sink.submit(request);
        }
    }

    /** The request has its result: the queue gets the completion, the source room for one more. */
    @Override
    public void requestCompleted(BlockRequest request, int result) {
        completed(request, result, PipelineObserver.BYPASSED);
    }

    @Override
    public void completed(BlockRequest request, int result, int flags) {
        outstanding--;
        if (BlockStatus.ofResult(result) == BlockStatus.IOERR && ioErrors.admits()) {
            LOG.warn("{}: {} of {} bytes at sector {} failed: {}; the status is IOERR",
                    this, request.op(), request.lengthBytes(), request.sector(), Errno.describe(result));
        }
        sink.completed();
        tell(request, result, flags);
        source.settle(request);
        requestOne();
    }

    private void requestOne() {
        OperatorSubscription current = subscription;
        if (current != null) {
            current.requestOne();
        }
    }

    /** The operators dropped it or completed it themselves: they have seen to the demand. */
    private void lost(BlockRequest request, int result) {
        tell(request, result, 0);
        source.settle(request);
    }

    private void tell(BlockRequest request, int result, int flags) {
        if (observed && !run.goesOnWith(request, result, flags)) {
            endRun();
            run.begin(request, result, flags, loop.tickNanos());
            if (!hooked) {
                hooked = true;
                loop.atTickEnd(endOfTick);
            }
        }
    }

    private void endTick() {
        hooked = false;
        endRun();
    }

    private void endRun() {
        try {
            run.end();
        } catch (Throwable failed) {
            // The guest gets its completions whatever becomes of the statistics.
            observerFailed(failed);
        }
    }

    private final class ObservedQueue implements QueueSource.Listener {
        @Override
        public void taken(int requests, int inFlight) {
            try {
                observer.taken(source.queue().index(), requests, inFlight);
            } catch (Throwable failed) {
                observerFailed(failed);
            }
        }

        @Override
        public void draining() {
            drain.begin();
        }

        @Override
        public void drained() {
            drain.end();
            scope.close();
            pipeline.disconnected(QueueSubscriber.this);
            // Not later: another loop may report the queue then.
            endRun();
        }

        @Override
        public void whenReleased(Runnable then) {
            drain.whenReleased(then);
        }

        @Override
        public boolean operatorsFailed(Throwable thrown) {
            giveUp(thrown);
            return true;
        }
    }

    /** The present operators have thrown, or have kept requests too long: what they have fails, and is not theirs any more. */
    private void giveUp(@Nullable Throwable thrown) {
        OperatorSubscription current = subscription;
        if (current != null) {
            current.end(thrown);
            current.cancel();
        }
    }

    /** The drain limit: what operators have fails. */
    void operatorsExpired() {
        giveUp(null);
    }

    private void observerFailed(Throwable failed) {
        if (failures.admits()) {
            LOG.error("the observer of the pipeline failed", failed);
        }
    }

    /** Disk and queue, for the log. */
    @Override
    public String toString() {
        return "disk " + pipeline.diskName() + ", queue " + source.queue().index();
    }
}
