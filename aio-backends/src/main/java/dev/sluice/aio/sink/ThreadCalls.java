package dev.sluice.aio.sink;

import dev.sluice.aio.loop.TickLoop;
import dev.sluice.aio.threads.CallThreads;
import dev.sluice.pipeline.Errno;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.locks.LockSupport;
import java.util.function.IntSupplier;

/**
 * Calls of one sink on {@link CallThreads}; their results come back through the loop's mailbox.
 *
 * <p>A call counts once it was handed over, never before: what throws or refuses on the way leaves nothing behind. If no thread can be had, further calls are
 * refused without asking for one for a while, which doubles from 1 ms to 128 ms.
 *
 * <p><b>Threading:</b> the loop's thread. <b>Failure:</b> {@link #start} returns false for now. <b>Allocation:</b> a task a call.
 */
public final class ThreadCalls {
    private static final long FIRST_PAUSE_NANOS = 1_000_000;
    private static final int MOST_DOUBLINGS = 7;

    /** Who hears of results. */
    @FunctionalInterface
    public interface Ends {
        void cameBack(int slot, int result);
    }

    private final TickLoop loop;
    private final CallThreads threads;
    private final Ends ends;
    private int onThreads;
    private int refusals;
    private long askAgainNanos;

    public ThreadCalls(TickLoop loop, CallThreads threads, Ends ends) {
        this.loop = loop;
        this.threads = threads;
        this.ends = ends;
    }

    /** Starts a call for a slot; false if no thread can be had for now. */
    public boolean start(int slot, IntSupplier call) {
        if (refusals > 0 && loop.tickNanos() - askAgainNanos < 0) {
            return false;
        }
        if (!handedOver(new Call(slot, call))) {
            askAgainNanos = loop.tickNanos() + (FIRST_PAUSE_NANOS << Math.min(refusals++, MOST_DOUBLINGS));
            return false;
        }
        refusals = 0;
        onThreads++;
        return true;
    }

    /** For what belongs to no request: on a thread, or here and now if there is none. */
    public void runAnyhow(Runnable task) {
        if (!handedOver(task)) {
            task.run();
        }
    }

    private boolean handedOver(Runnable task) {
        try {
            return threads.run(task);
        } catch (OutOfMemoryError noMemoryForIt) {
            return false;
        }
    }

    /** Calls that have not come back. */
    public int inFlight() {
        return onThreads;
    }

    /** Run first by a thread, then by the loop. Mailbox and queue order the two. */
    private final class Call implements Runnable {
        private final int slot;
        private final IntSupplier call;
        private int result;
        private boolean made;
        private boolean back;

        Call(int slot, IntSupplier call) {
            this.slot = slot;
            this.call = call;
        }

        @Override
        public void run() {
            if (made) {
                cameBack();
                return;
            }
            try {
                result = call.getAsInt();
            } catch (Throwable bug) {
                result = -Errno.EIO;
            }
            made = true;
            post();
        }

        private void post() {
            while (true) {
                try {
                    loop.execute(this);
                    return;
                } catch (RejectedExecutionException ended) {
                    // The loop has given up waiting for it, loudly.
                    return;
                } catch (OutOfMemoryError noNodeForIt) {
                    LockSupport.parkNanos(FIRST_PAUSE_NANOS);
                }
            }
        }

        /** Once, even if posting failed after the mailbox had it. */
        private void cameBack() {
            if (!back) {
                back = true;
                onThreads--;
                ends.cameBack(slot, result);
            }
        }
    }
}
