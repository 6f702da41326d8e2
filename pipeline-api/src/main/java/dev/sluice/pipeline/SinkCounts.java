package dev.sluice.pipeline;

import java.lang.invoke.VarHandle;

/**
 * The counters of one sink, as it counts them: plain additions by its loop.
 *
 * <p><b>Threading:</b> written by the sink's loop alone, {@link #publish} once a flush or tick; {@link #snapshot} by any thread.
 * <b>Allocation:</b> none in the loop's methods.
 */
public final class SinkCounts {
    private long batches;
    private long operations;
    private long retries;
    private long continuations;
    private long bounces;

    /** A flush has handed so many operations to the kernel; none is no batch. */
    public void batch(int handed) {
        if (handed > 0) {
            batches++;
            operations += handed;
        }
    }

    /** An operation was refused for now and will be offered again. */
    public void retried() {
        retries++;
    }

    /** A short transfer continues from where it stopped. */
    public void continued() {
        continuations++;
    }

    /** A request goes through a buffer of the sink's. */
    public void bounced() {
        bounces++;
    }

    /** Shows to others what was counted so far. */
    public void publish() {
        // Pairs with the acquire fence of snapshot.
        VarHandle.releaseFence();
    }

    public SinkCounters snapshot() {
        // Pairs with the release fence of publish.
        VarHandle.acquireFence();
        return new SinkCounters(batches, operations, retries, continuations, bounces);
    }
}
