package dev.sluice.pipeline;

import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The end of a queue that was asked to stop while it had requests in flight.
 *
 * <p>What stages and operators have is given a limit, after which it fails and is listed in the log; what the backend has is waited for, however long that
 * takes, because the kernel may write to its memory: a line in the log every ten seconds says how much that is.
 *
 * <p><b>Threading:</b> the queue's loop. <b>Allocation:</b> nothing before a queue stops.
 */
final class QueueDrain {
    private static final Logger LOG = LoggerFactory.getLogger(QueueDrain.class);
    private static final long LOG_INTERVAL_NANOS = TimeUnit.SECONDS.toNanos(10);
    /** Requests named in the log, of a queue. */
    private static final int MAX_LISTED = 64;

    private final QueueSubscriber queue;
    private final QueueSource source;
    private final StageHolds holds;
    private final BlockPipeline pipeline;
    private final IoLoop loop;
    private final Runnable limit = this::limitReached;
    private final Runnable logProgress = this::logProgress;

    private boolean begun;
    private boolean over;
    private boolean expired;
    /** Operators had requests when the limit ended; nobody knows when they stop using their memory. */
    private boolean operatorsHadRequests;

    private long begunNanos;
    private int listed;
    private int failed;

    QueueDrain(QueueSubscriber queue, QueueSource source, StageHolds holds, BlockPipeline pipeline) {
        this.queue = queue;
        this.source = source;
        this.holds = holds;
        this.pipeline = pipeline;
        this.loop = source.loop();
    }

    /** The queue has been stopped and has requests in flight. */
    void begin() {
        if (begun) {
            return;
        }
        begun = true;
        begunNanos = loop.tickNanos();
        long limitNanos = pipeline.drainLimitNanos();
        if (limitNanos == 0) {
            // Not in the call that stops: whoever made it has more to do.
            loop.execute(limit);
        } else {
            loop.schedule(limit, limitNanos);
        }
        loop.schedule(logProgress, LOG_INTERVAL_NANOS);
    }

    /** The limit ends now, where the queue is being stopped. */
    void cutShort() {
        if (begun) {
            limitReached();
        }
    }

    private void limitReached() {
        if (over || expired) {
            return;
        }
        expired = true;
        // Counted and listed before the first of them fails: the last one may end the stop.
        holds.forEach(this::list);
        int inOperators = source.heldByOperators(request -> list(request, "an operator"));
        failed += inOperators;
        if (listed > MAX_LISTED) {
            LOG.error("{}: {} more requests fail at the drain limit", queue, listed - MAX_LISTED);
        }
        pipeline.addFailedAtDrainLimit(failed);
        operatorsHadRequests = inOperators > 0;
        queue.scope().expire();
        queue.operatorsExpired();
    }

    private void list(StageCall call) {
        // What has its outcome keeps it, and waits for the backend alone.
        if (!call.ended() && !call.isSubRequest()) {
            list(call.request(), call.inSink() ? "the backend, below stage " + call.stage() + "," : "stage " + call.stage());
            failed++;
        }
    }

    private void list(BlockRequest request, String holder) {
        if (listed++ < MAX_LISTED) {
            LOG.error("{}: {} of {} bytes at sector {} failed: ECANCELED (operation canceled): {} has held it for {} ms; the drain limit is {} ms",
                    queue, request.op(), request.lengthBytes(), request.sector(), holder,
                    millis(loop.tickNanos() - request.availableNanos()), millis(pipeline.drainLimitNanos()));
        }
    }

    private static long millis(long nanos) {
        return TimeUnit.NANOSECONDS.toMillis(nanos);
    }

    private void logProgress() {
        if (over) {
            return;
        }
        int[] held = {0};
        holds.forEach(call -> held[0] += call.isBelow() || call.ended() || call.isSubRequest() ? 0 : 1);
        LOG.warn("{}: stopping for {} s: {} requests in flight, {} of them held by stages; waiting for the backend to complete the others",
                queue, TimeUnit.NANOSECONDS.toSeconds(loop.tickNanos() - begunNanos), source.queue().inFlight(), held[0]);
        loop.schedule(logProgress, LOG_INTERVAL_NANOS);
    }

    /** Nothing is in flight any more. */
    void end() {
        over = true;
    }

    /** Runs a task on the loop once nobody can use the queue's memory any more, perhaps never. */
    void whenReleased(Runnable then) {
        if (operatorsHadRequests) {
            LOG.warn("{}: its memory stays: operators had requests of it when the drain limit ended", queue);
            return;
        }
        holds.whenReleased(then);
    }
}
