package dev.sluice.pipeline;

/**
 * The other side's ring is invalid: the queue cannot continue, other queues can.
 *
 * <p>It ends the queue's {@link QueueSource} with {@code onError}. The message names the rule that was broken, with the
 * values that broke it and the section of the specification.
 */
public final class BrokenQueueException extends RuntimeException {
    private final int queueIndex;

    public BrokenQueueException(int queueIndex, String rule) {
        super("queue " + queueIndex + ": " + rule);
        this.queueIndex = queueIndex;
    }

    public BrokenQueueException(int queueIndex, String rule, Throwable cause) {
        super("queue " + queueIndex + ": " + rule, cause);
        this.queueIndex = queueIndex;
    }

    public int queueIndex() {
        return queueIndex;
    }
}
