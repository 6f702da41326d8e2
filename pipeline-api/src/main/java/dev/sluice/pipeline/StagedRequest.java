package dev.sluice.pipeline;

import java.lang.foreign.MemorySegment;
import java.lang.ref.Reference;
import java.util.concurrent.RejectedExecutionException;
import org.jspecify.annotations.Nullable;
import org.reactivestreams.Subscription;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import reactor.core.CoreSubscriber;
import reactor.core.Exceptions;
import reactor.core.publisher.Mono;
import reactor.util.context.Context;
import reactor.util.context.ContextView;

/**
 * What stages see of a request: one life of the pooled object, made for that life and never used again. Whatever a stage keeps or signals late
 * therefore reaches this object, which knows whether its request is still theirs, and never the next request of the pool.
 *
 * <p>It subscribes to the stages' Mono as well, so that it is reachable as long as anybody can still decide the request: {@link StageCall} refers to it
 * weakly, and finds out where nobody can any more.
 *
 * <p><b>Threading:</b> signals and {@link #complete} from any thread; they are brought to the loop. <b>Failure:</b> once the request has been completed,
 * copies of its data throw {@link IllegalStateException}.
 */
final class StagedRequest extends BlockRequest implements CoreSubscriber<BlockResult> {
    private static final Logger LOG = LoggerFactory.getLogger(StagedRequest.class);

    private final StageCall call;

    /** Base and length of each data segment: the queue uses its iovecs again when the request has ended, and a stage may copy at any time on any thread. */
    private final long[] iovecs;

    /** Held while data is copied, so that the request does not end under a copy: the guest uses the memory again then, and it may be unmapped. */
    private final Object copying = new Object();

    private boolean over;
    private @Nullable BlockResult outcome;
    private final ContextView context;
    private volatile @Nullable Context contextOfStages;

    StagedRequest(BlockRequest request, RequestOwner owner) {
        super(request.loop(), request.queueIndex(), request.slot());
        this.iovecs = new long[2 * request.iovecCount()];
        for (int i = 0; i < request.iovecCount(); i++) {
            iovecs[2 * i] = request.dataAddress(i);
            iovecs[2 * i + 1] = request.dataLength(i);
        }
        show(request);
        this.context = request.context();
        this.call = new StageCall(this, request, owner);
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

    /** The request has been completed, or has failed at the drain limit: its data is not its stages' any more. A copy that has begun ends before. */
    void end() {
        synchronized (copying) {
            over = true;
        }
    }

    @Override
    void copyOut(long dataOffset, MemorySegment target, long targetOffset, long bytes) {
        synchronized (copying) {
            checkNotOver();
            try {
                super.copyOut(dataOffset, target, targetOffset, bytes);
            } finally {
                // Who is unreachable is not waited for.
                Reference.reachabilityFence(this);
            }
        }
    }

    @Override
    void copyIn(long dataOffset, MemorySegment source, long sourceOffset, long bytes) {
        synchronized (copying) {
            checkNotOver();
            try {
                super.copyIn(dataOffset, source, sourceOffset, bytes);
            } finally {
                Reference.reachabilityFence(this);
            }
        }
    }

    private void checkNotOver() {
        if (over) {
            throw new IllegalStateException("the request has been completed, its data is not the stage's any more: " + this);
        }
    }

    @Override
    long dataAddress(int index) {
        return iovecs[2 * index];
    }

    @Override
    long dataLength(int index) {
        return iovecs[2 * index + 1];
    }

    @Override
    protected void surfaceFault() {
        call.request().surfaceFault();
    }

    /** A stage completes the request by itself, in place of its Mono. */
    @Override
    void completeOnLoop(int result) {
        call.completed(result);
    }

    @Override
    protected void completed(int result) {
        throw new IllegalStateException("not a queue's own: " + this);
    }

    // ---- the outcome of the Mono

    /**
     * The context of whoever made the request. Asked by operators that have failed, before they throw an error of the JVM (NoClassDefFoundError,
     * StackOverflowError) up the stack of whatever thread they are on, where it is lost: so that those that support {@code onErrorContinue} hand it over here
     * instead. Made then, as hardly any is asked.
     */
    @Override
    public Context currentContext() {
        Context made = contextOfStages;
        if (made == null) {
            Context[] found = {Context.empty()};
            Mono.deferContextual(view -> {
                found[0] = Context.of(view);
                return Mono.empty();
            })
                    .onErrorContinue(Exceptions::isJvmFatal, (error, value) -> onError(error))
                    .contextWrite(context)
                    .subscribe();
            made = found[0];
            contextOfStages = made;
        }
        return made;
    }

    @Override
    public void onSubscribe(Subscription subscription) {
        subscription.request(Long.MAX_VALUE);
    }

    @Override
    public void onNext(BlockResult result) {
        outcome = result;
    }

    @Override
    public void onError(Throwable error) {
        signalled(null, error);
    }

    @Override
    public void onComplete() {
        signalled(outcome, null);
    }

    private void signalled(@Nullable BlockResult result, @Nullable Throwable error) {
        if (loop().inLoop()) {
            call.signalled(result, error);
            return;
        }
        try {
            loop().execute(() -> call.signalled(result, error));
        } catch (RejectedExecutionException ended) {
            LOG.debug("a stage has ended after the loop of its request: {}", this);
        }
    }
}
