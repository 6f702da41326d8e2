package dev.sluice.aio.sink;

/**
 * How much a sink copies on the loop's thread before others have their turn: the bounds of {@link MemoryTransfers}, which decision 005 explains, for a sink
 * that makes no system calls.
 *
 * <p><b>Threading:</b> the loop's. <b>Allocation:</b> none.
 */
public final class CopyBudget {
    /** What is copied at most, give or take a call, before those requests complete. */
    public static final long BYTES_PER_BATCH = MemoryTransfers.BYTES_PER_FLUSH;

    /** What is copied of one request at most before others have their turn; the rest follows in a later tick. */
    public static final long BYTES_PER_CALL = MemoryTransfers.BYTES_PER_CALL;

    private long bytesLeft;

    /** A batch begins. */
    public void begin() {
        bytesLeft = BYTES_PER_BATCH;
    }

    /** Whether the rest of the batch has to wait for the next tick. */
    public boolean limitReached() {
        return bytesLeft <= 0;
    }

    /** So many bytes were copied. */
    public void copied(long bytes) {
        bytesLeft -= bytes;
    }
}
