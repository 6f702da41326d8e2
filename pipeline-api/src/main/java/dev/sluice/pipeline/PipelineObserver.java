package dev.sluice.pipeline;

/**
 * What happens in a pipeline, as callbacks with primitive arguments.
 *
 * <p><b>Threading:</b> calls for one queue come from the one loop that serves it; calls for different queues may come from different loops at
 * once. <b>Failure:</b> must not throw. <b>Allocation:</b> must not allocate; it is on the data path.
 */
public interface PipelineObserver {
    /** Sees nothing. */
    PipelineObserver NONE = new PipelineObserver() {};

    /** Flag of {@link #requestCompleted}: the request went past the stages. */
    int BYPASSED = 1;

    /** Something that happened to a queue, rarely enough to be reported by name. */
    enum QueueEvent {
        STARTED,
        STOPPED,
        /** A chain that broke a rule of the specification; its request was failed. */
        MALFORMED_CHAIN,
        /** The ring itself was broken; the queue has ended. */
        BROKEN
    }

    /**
     * A request was completed. Reported when the tick ends that completed it, as a rule before the other side can see the completion.
     *
     * @param bytes length of the request, 0 for a FLUSH
     * @param errno 0 or a positive errno
     * @param waitNanos from the tick that first saw it to its submission
     * @param deviceNanos from its submission to its completion
     * @param flags {@link #BYPASSED} or 0
     */
    default void requestCompleted(int queue, BlockOp op, long bytes, int errno, long waitNanos, long deviceNanos, int flags) {}

    /**
     * Requests of a queue were completed in one tick, and are alike in everything that {@link #requestCompleted} reports. This is what a pipeline calls, once
     * a tick and queue where all of them are alike; unless it is overridden it reports each.
     *
     * @param requests how many, at least 1
     * @param bytes of each
     */
    default void requestsCompleted(int queue, BlockOp op, int requests, long bytes, int errno, long waitNanos, long deviceNanos, int flags) {
        for (int i = 0; i < requests; i++) {
            requestCompleted(queue, op, bytes, errno, waitNanos, deviceNanos, flags);
        }
    }

    /**
     * A queue had its turn and took requests from its ring.
     *
     * @param requests how many, at least 1
     * @param inFlight how many of the queue are in flight now, these included
     */
    default void taken(int queue, int requests, int inFlight) {}

    /** The other side kicked (several kicks may be seen as one). */
    default void kicked(int queue) {}

    /**
     * A tick published used elements, or made a call that was still owed.
     *
     * @param elements how many; 0 for a call alone
     * @param called whether the other side wanted a call and got one
     */
    default void published(int queue, int elements, boolean called) {}

    default void queueEvent(int queue, QueueEvent event) {}
}
