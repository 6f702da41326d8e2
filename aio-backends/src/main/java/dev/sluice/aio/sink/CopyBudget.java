package dev.sluice.aio.sink;

/**
 * How much a sink copies on the loop's thread before others have their turn, by system calls ({@link MemoryTransfers}) or without; decision 005 explains the
 * bounds.
 *
 * <p><b>Threading:</b> the loop's. <b>Allocation:</b> none.
 */
public final class CopyBudget {
    /** What is copied at most, give or take a call, before those requests complete: some 30 us. */
    public static final long BYTES_PER_BATCH = 128 << 10;

    /**
     * What is copied of one request at most, some 200 us, before others have their turn; the rest follows in a later tick, so that no request holds the loop
     * for longer than any other.
     */
    public static final long BYTES_PER_CALL = 1 << 20;

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
