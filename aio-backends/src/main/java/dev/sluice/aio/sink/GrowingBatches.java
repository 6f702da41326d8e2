package dev.sluice.aio.sink;

/**
 * When a batch goes to the kernel before its tick ends, so that the disk works while the rest of the tick is prepared: as soon as there are as many requests in
 * it as the kernel has, at least {@value #FIRST} and at most {@value #LARGEST}. A disk that has nothing to do gets batches of 4, 4, 8, 16, 32; one that is busy
 * gets few and large ones (docs/decisions/018-batches-that-grow.md).
 *
 * <p>A batch with a sync in it waits for the end of the tick, as all others of the tick share that sync.
 *
 * <p><b>Threading:</b> the loop's. <b>Allocation:</b> none.
 */
final class GrowingBatches {
    /** Fewer are not worth a system call, and the interrupt of the device for them. */
    static final int FIRST = 4;

    /** So many requests keep the device busy until the next are there. */
    static final int LARGEST = 32;

    private final boolean early;
    private boolean hasSync;

    /** @param early whether batches go early at all: not where the kernel completes requests while it takes them */
    GrowingBatches(boolean early) {
        this.early = early;
    }

    /** A request has joined the batch, in which so many now wait: whether the batch is to go now. */
    boolean isDue(boolean sync, int waiting, int inKernel) {
        hasSync |= sync;
        return early && !hasSync && waiting >= FIRST && waiting >= Math.min(inKernel, LARGEST);
    }

    /** The batch has gone. */
    void gone() {
        hasSync = false;
    }
}
