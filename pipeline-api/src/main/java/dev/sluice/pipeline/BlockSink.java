package dev.sluice.pipeline;

/**
 * One loop's way into a backend: its own ring entries or its own AIO context.
 *
 * <p><b>Threading:</b> the loop's thread only, but for {@link #counters}. <b>Ownership:</b> from {@link #submit} to its completion a request, its iovecs and
 * its data belong to the sink. <b>Failure:</b> a failed request is completed with a negative errno; no method throws for a request. Once a sync of the image
 * has failed in any of its sinks, every FLUSH and every durable request fails ({@link BackendHealth}). <b>Allocation:</b> none per request in steady state.
 */
public interface BlockSink extends AutoCloseable {

    /**
     * Takes a request into the current batch, calls {@link BlockRequest#submitted}, and later {@link BlockRequest#complete}
     * exactly once; not inside this call.
     *
     * @return false where the sink is full: the request was not taken and is the caller's, who offers it again after a completion
     */
    boolean submit(BlockRequest request);

    /**
     * Hands the batch to the kernel. Called at the end of a tick that submitted something, and before that where early submission pays. Never blocks.
     * Requests may complete inside this call, and a completion may submit the next one.
     */
    void flush();

    /**
     * Offers memory that the data of many requests will lie in, so that the kernel can pin it once instead of for each of them (the registered buffers of
     * io_uring). Requests work the same whether it is taken or not. The memory must stay until {@link #unregisterBuffers} or the sink's end.
     *
     * @return false where the sink has no use for it, has such memory already, or the kernel refuses
     */
    default boolean registerBuffers(long address, long bytes) {
        return false;
    }

    /** Forgets memory that {@link #registerBuffers} has taken; without effect for other memory. Not with requests in flight on it. */
    default void unregisterBuffers(long address) {}

    /** How many requests can be in flight at once. */
    int capacity();

    /** Requests taken and not yet completed. */
    int inFlight();

    /** What it has done so far. Any thread. */
    default SinkCounters counters() {
        return SinkCounters.NONE;
    }

    /**
     * Frees what the sink holds, after a {@link #flush} of what was submitted since the last one. With requests in flight it closes once the
     * last of them has completed; none is taken any more. Idempotent.
     */
    @Override
    void close();
}
