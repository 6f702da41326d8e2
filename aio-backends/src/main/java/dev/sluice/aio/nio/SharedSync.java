package dev.sluice.aio.nio;

import dev.sluice.linux.Errno;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.IntSupplier;

/**
 * Syncs of one open file, one at a time: who arrives while one runs waits for the next, which serves all who wait.
 *
 * <p><b>Threading:</b> any; blocks. <b>Allocation:</b> none.
 */
final class SharedSync {
    private final AtomicLong arrivals = new AtomicLong();

    /** Everyone who had arrived before the last sync began has its result. */
    private long servedArrivals;

    private int servedResult;

    /**
     * Syncs, or takes the result of a sync that has begun after this call.
     *
     * @param sync makes the call; its result is zero or a negative errno, where EAGAIN and EINTR concern the caller alone
     */
    int run(IntSupplier sync) {
        long arrival = arrivals.incrementAndGet();
        synchronized (this) {
            if (arrival <= servedArrivals) {
                return servedResult;
            }
            long covered = arrivals.get();
            int result = sync.getAsInt();
            if (result != -Errno.EAGAIN && result != -Errno.EINTR) {
                servedArrivals = covered;
                servedResult = result;
            }
            return result;
        }
    }
}
