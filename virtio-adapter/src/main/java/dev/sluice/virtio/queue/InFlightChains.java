package dev.sluice.virtio.queue;

import java.util.Arrays;

/**
 * The record of what is in flight in a ring: which chains were taken and not yet shown to the driver as used. It rejects a chain that is made available twice.
 *
 * <p>{@link #taken} is called before the ring's position moves, {@link #completed} before the driver can see the completion, {@link #published} after it can:
 * in this order a record that outlives the process names every chain that has to be served again, and none that was completed.
 *
 * <p><b>Threading:</b> the ring's loop. <b>Allocation:</b> in {@link #taken}, for as many chains as were ever in flight together.
 */
final class InFlightChains {
    /** A bit for each identifier. */
    private final long[] inFlight;
    private int inFlightCount;
    /** Completed since the last publication; as long as there are chains in flight, so that a completion needs no memory. */
    private int[] completed = new int[16];

    private int completedCount;

    InFlightChains(int ringSize) {
        this.inFlight = new long[(ringSize + Long.SIZE - 1) / Long.SIZE];
    }

    boolean contains(int chainId) {
        return (inFlight[chainId >> 6] & 1L << chainId) != 0;
    }

    void taken(int chainId) {
        if (inFlightCount == completed.length) {
            completed = Arrays.copyOf(completed, 2 * inFlightCount);
        }
        inFlightCount++;
        inFlight[chainId >> 6] |= 1L << chainId;
    }

    void completed(int chainId) {
        assert contains(chainId) : "chain " + chainId + " is completed and not in flight";
        completed[completedCount++] = chainId;
    }

    void published() {
        for (int i = 0; i < completedCount; i++) {
            int chainId = completed[i];
            inFlight[chainId >> 6] &= ~(1L << chainId);
        }
        inFlightCount -= completedCount;
        completedCount = 0;
    }
}
