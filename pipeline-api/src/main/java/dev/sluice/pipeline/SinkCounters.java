package dev.sluice.pipeline;

/**
 * What a sink has done since it was opened. Cumulative.
 *
 * <p><b>Threading:</b> made for whoever asks, from counters that the sink's loop alone writes; the numbers of one snapshot may be a tick apart
 * from one another.
 *
 * @param batches flushes that handed at least one operation to the kernel
 * @param operations operations handed to the kernel; a request may take several, or none
 * @param retries operations that were refused for now (EAGAIN, EINTR, a full ring or context) and offered again
 * @param continuations operations for the rest of a request after a short read or write
 * @param bounces requests that went through a buffer of the sink's, as their own memory was not aligned for the image
 */
public record SinkCounters(long batches, long operations, long retries, long continuations, long bounces) {
    /** Nothing yet; also what a sink says that doesn't count. */
    public static final SinkCounters NONE = new SinkCounters(0, 0, 0, 0, 0);
}
