package dev.sluice.pipeline;

import java.lang.foreign.MemorySegment;
import java.lang.ref.Reference;
import java.util.Objects;
import java.util.concurrent.RejectedExecutionException;
import org.jspecify.annotations.Nullable;
import org.reactivestreams.Subscription;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import reactor.core.CoreSubscriber;
import reactor.core.Exceptions;
import reactor.core.publisher.Mono;
import reactor.util.context.Context;

/**
 * What stages see of a request: one life of the pooled object, made for that life and never used again. Whatever a stage keeps or signals late
 * therefore reaches this object, which knows whether its request is still theirs, and never the next request of the pool.
 *
 * <p>It subscribes to the stages' Mono as well, so that it is reachable as long as anybody can still decide the request: {@link StageCall} refers to it
 * weakly, and finds out where nobody can any more.
 *
 * <p><b>Threading:</b> signals and {@link #complete} from any thread; they are brought to the loop. <b>Failure:</b> once the request has been completed,
 * {@link #dataSegment} throws {@link IllegalStateException}.
 */
final class StagedRequest extends BlockRequest implements CoreSubscriber<BlockStatus> {
    private static final Logger LOG = LoggerFactory.getLogger(StagedRequest.class);

    private final StageCall call;
    private final StageSegments segments;

    /** Base and length of each data segment: the queue uses its iovecs again when the request has ended, and a stage may ask at any time on any thread. */
    private final long[] iovecs;

    private volatile boolean over;
    private @Nullable BlockStatus outcome;
    private volatile @Nullable Context context;

    StagedRequest(BlockRequest request, QueueSubscriber queue, SharedSink sink) {
        super(request.loop(), request.queueIndex(), request.slot());
        this.segments = queue.holds().segments();
        this.iovecs = new long[2 * request.iovecCount()];
        for (int i = 0; i < request.iovecCount(); i++) {
            MemorySegment data = request.dataSegment(i);
            iovecs[2 * i] = data.address();
            iovecs[2 * i + 1] = data.byteSize();
        }
        show(request);
        this.call = new StageCall(this, request, queue, sink);
    }

    /** On the loop, once. */
    void run(StageChain stages, int first) {
        call.begin();
        try {
            stages.handle(first, this, call).subscribe(this);
        } catch (Throwable failed) {
            // A stage of the program, whose fault must not cost the guest its request nor the loop its turn.
            call.signalled(null, failed);
        } finally {
            Reference.reachabilityFence(this);
        }
    }

    /** What a request costs that has its Mono and no stage. */
    void runWithoutStages() {
        call.begin();
        call.proceed(this).subscribe(this);
    }

    /** The request has been completed: it is its stages' no more. */
    void end() {
        over = true;
    }

    @Override
    public MemorySegment dataSegment(int index) {
        Objects.checkIndex(index, iovecs.length / 2);
        if (over) {
            throw new IllegalStateException("the request has been completed, its data is not the stage's any more: " + this);
        }
        return readOnlyIfWrite(segments.view(iovecs[2 * index], iovecs[2 * index + 1]));
    }

    /** A stage completes the request by itself, in place of its Mono. */
    @Override
    void completeOnLoop(int result) {
        call.completed(result);
    }

    @Override
    protected void answer(int result) {
        throw new IllegalStateException("not a queue's own: " + this);
    }

    // ---- the outcome of the Mono

    /**
     * Asked by operators that have failed, before they throw an error of the JVM (NoClassDefFoundError, StackOverflowError) up the stack of whatever
     * thread they are on, where it is lost: so that those that support {@code onErrorContinue} hand it over here instead. Made then, as hardly any is asked.
     */
    @Override
    public Context currentContext() {
        Context made = context;
        if (made == null) {
            Context[] found = {Context.empty()};
            Mono.deferContextual(view -> {
                        found[0] = Context.of(view);
                        return Mono.empty();
                    })
                    .onErrorContinue(Exceptions::isJvmFatal, (error, value) -> onError(error))
                    .subscribe();
            made = found[0];
            context = made;
        }
        return made;
    }

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
        signalled(null, error);
    }

    @Override
    public void onComplete() {
        signalled(outcome, null);
    }

    private void signalled(@Nullable BlockStatus status, @Nullable Throwable error) {
        if (loop().inLoop()) {
            call.signalled(status, error);
            return;
        }
        try {
            loop().execute(() -> call.signalled(status, error));
        } catch (RejectedExecutionException ended) {
            LOG.debug("a stage has ended after the loop of its request: {}", this);
        }
    }
}
