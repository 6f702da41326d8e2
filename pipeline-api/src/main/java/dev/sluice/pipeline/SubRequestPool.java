package dev.sluice.pipeline;

import dev.sluice.linux.Errno;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayDeque;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The sub-requests of one stage for the requests of one queue, or in the background of one loop: so many, made once. Whatever finds none waits, in order.
 *
 * <p>A sub-request has its place from its submission until the chain below is done with it, and waits for nothing of its own stage meanwhile; so a place always
 * becomes free again.
 *
 * <p><b>Threading:</b> the loop. <b>Failure:</b> what waits is completed with ECANCELED when its request ends, with ESHUTDOWN when the pool is closed.
 * <b>Allocation:</b> none in steady state where no stage below is interested.
 */
final class SubRequestPool implements RequestOwner, BlockRequest.CompletionListener {
    private static final Logger LOG = LoggerFactory.getLogger(SubRequestPool.class);

    private final StageScope scope;
    private final int stage;
    private final SubRequest[] free;
    private final ArrayDeque<SubRequestCall> waiting = new ArrayDeque<>();
    private int freeCount;
    private boolean serving;
    private boolean closed;

    SubRequestPool(StageScope scope, int stage, int size) {
        this.scope = scope;
        this.stage = stage;
        this.free = new SubRequest[size];
        // Freed by the garbage collector: it must stay as long as a sink has one of them.
        MemorySegment iovecs = Arena.ofAuto().allocate((long) size * DataCopy.IOVEC_BYTES, Long.BYTES);
        for (int slot = 0; slot < size; slot++) {
            free[slot] = new SubRequest(this, scope.loop(), scope.queueIndex(), slot, iovecs, (long) slot * DataCopy.IOVEC_BYTES);
        }
        this.freeCount = size;
    }

    @Override
    public StageScope scope() {
        return scope;
    }

    int inFlight() {
        return free.length - freeCount;
    }

    void submit(SubRequestCall call) {
        waiting.add(call);
        serve();
    }

    /** Not inside itself: a sub-request that a stage below completes at once may bring the next. */
    private void serve() {
        if (serving) {
            return;
        }
        serving = true;
        try {
            while (!waiting.isEmpty() && (freeCount > 0 || closed)) {
                start(waiting.remove());
            }
        } finally {
            serving = false;
        }
    }

    private void start(SubRequestCall call) {
        if (call.cancelled()) {
            return;
        }
        StageRequests chain = call.asked().chain();
        StageBuffer buffer = call.asked().buffer();
        int refusal = closed ? Errno.ESHUTDOWN : chain.refusal();
        if (refusal != 0) {
            call.emit(BlockResult.failed(refusal));
        } else if (buffer != null && !buffer.retain()) {
            call.fail(new IllegalStateException("stage " + chain.stageName() + ": the use of the buffer has ended: " + call.asked()));
        } else {
            chain.subRequestStarted();
            SubRequest request = free[--freeCount];
            request.parse(call, chain.durable());
            request.take(this);
            sendDown(request);
        }
    }

    private void sendDown(SubRequest request) {
        int incarnation = request.incarnation();
        try {
            int next = scope.stages().firstInterested(request, stage + 1);
            if (next >= 0) {
                new StagedRequest(request, this).run(scope.stages(), next);
            } else {
                scope.sink().submit(request);
            }
        } catch (Throwable failed) {
            // A stage that failed when asked whether it is interested, or no memory for the objects of one.
            if (request.incarnation() == incarnation && request.state() == BlockRequest.State.PARSED) {
                request.complete(TruncatedMemoryException.isCauseOf(failed) ? -Errno.EFAULT : -Errno.EIO);
            }
            if (scope.failures().admits()) {
                LOG.error("{}: a sub-request of stage {} fails on its way down", scope, scope.stages().name(stage), failed);
            }
        }
    }

    @Override
    public void requestCompleted(BlockRequest request, int result) {
        completed(request, result, 0);
    }

    @Override
    public void completed(BlockRequest request, int result, int flags) {
        scope.sink().completed();
        request.release();
    }

    /** A request has come back, and its buffer with it. */
    void returned(SubRequest request, SubRequestCall call, int result) {
        free[freeCount++] = request;
        call.asked().chain().subRequestCompleted();
        call.emit(BlockResult.of(result));
        serve();
    }

    /** Completes what waits for a request that has ended. */
    void refuseEnded() {
        ArrayDeque<SubRequestCall> kept = new ArrayDeque<>(waiting);
        waiting.clear();
        for (SubRequestCall call : kept) {
            int refusal = call.asked().chain().refusal();
            if (refusal == 0) {
                waiting.add(call);
            } else {
                call.emit(BlockResult.failed(refusal));
            }
        }
    }

    /** Completes what waits; what is in flight comes back. Idempotent. */
    void close() {
        closed = true;
        serve();
    }

    @Override
    public String toString() {
        return scope.toString();
    }
}
