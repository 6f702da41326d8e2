package dev.sluice.aio.sink;

/**
 * How a sink shares a tick with its disk and with the driver, so that each of them works while the others do (docs/decisions/018-batches-that-grow.md).
 *
 * <p>A batch goes to the kernel before its tick ends as soon as there are as many requests in it as the kernel has, at least {@value #FIRST} and at most
 * {@value #LARGEST}: a disk that has nothing to do gets batches of 4, 4, 8, 16, 32; one that is busy gets few and large ones. A batch with a sync in it waits
 * for the end of the tick, as all others of the tick share that sync.
 *
 * <p>Where many completions come at once, a tick acts on some of them and shows those to the driver, the next on twice as many, and so on.
 *
 * <p><b>Threading:</b> the loop's. <b>Allocation:</b> none.
 */
final class GrowingBatches {
    /** Fewer are not worth a system call, and the interrupt of the device for them. */
    static final int FIRST = 4;

    /** So many requests keep the device busy until the next are there. */
    static final int LARGEST = 32;

    /** Fewer completions are not worth a tick of their own. */
    static final int FIRST_COMPLETIONS = 16;

    private final boolean early;
    private boolean hasSync;
    private int nextCompletions = FIRST_COMPLETIONS;

    /** @param early false where the kernel completes requests while it takes them: then a tick has one batch, and acts on all that has ended */
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

    /** How many of so many completions are for this tick: at least one if there is one. The rest waits for the next. */
    int completionsNow(int collected) {
        if (!early || collected < nextCompletions + FIRST_COMPLETIONS) {
            nextCompletions = FIRST_COMPLETIONS;
            return collected;
        }
        int now = nextCompletions;
        nextCompletions = 2 * now;
        return now;
    }
}
