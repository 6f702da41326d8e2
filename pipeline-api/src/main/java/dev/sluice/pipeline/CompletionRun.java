package dev.sluice.pipeline;

/**
 * Requests of one queue that ended alike in one tick: the requests of a tick share its clock, so most do. The observer gets them together when one ends
 * otherwise or the tick does, which costs less than one call for each.
 *
 * <p><b>Threading:</b> the queue's loop. <b>Failure:</b> what the observer throws comes out of {@link #end}, after which the run has ended. <b>Allocation:</b>
 * none.
 */
final class CompletionRun {
    private final PipelineObserver observer;
    private final int queueIndex;

    private int length;
    private BlockOp op = BlockOp.READ;
    private long bytes;
    private int result;
    private int flags;
    private long availableNanos;
    private long submittedNanos;
    private long completedNanos;

    CompletionRun(PipelineObserver observer, int queueIndex) {
        this.observer = observer;
        this.queueIndex = queueIndex;
    }

    /** Takes a request in that has ended as those before it; false where it has not. */
    boolean goesOnWith(BlockRequest request, int result, int flags) {
        if (request.submittedNanos() == submittedNanos
                && request.availableNanos() == availableNanos
                && request.lengthBytes() == bytes
                && request.op() == op
                && result == this.result
                && flags == this.flags
                && length > 0) {
            length++;
            return true;
        }
        return false;
    }

    /**
     * Begins a run with a request; the one before must have ended.
     *
     * @param nowNanos {@link IoLoop#tickNanos}
     */
    void begin(BlockRequest request, int result, int flags, long nowNanos) {
        length = 1;
        op = request.op();
        bytes = request.lengthBytes();
        this.result = result;
        this.flags = flags;
        availableNanos = request.availableNanos();
        submittedNanos = request.submittedNanos();
        completedNanos = nowNanos;
    }

    /** Tells of the requests so far, if there are any. */
    void end() {
        int requests = length;
        if (requests > 0) {
            length = 0;
            observer.requestsCompleted(
                    queueIndex, op, requests, bytes, Math.max(0, -result), submittedNanos - availableNanos, completedNanos - submittedNanos, flags);
        }
    }
}
