package dev.sluice.aio.threads;

import dev.sluice.pipeline.IoLoop;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;

/**
 * Has further threads asked for, every second, as long as calls wait because one was refused: those that exist may hang, and nobody else may make a call.
 *
 * <p><b>Threading:</b> the loop's thread. <b>Failure:</b> a look that cannot be scheduled is left to the next call. <b>Allocation:</b> of a look, the loop's.
 */
public final class ThreadShortage {
    private static final long LOOK_NANOS = TimeUnit.SECONDS.toNanos(1);

    private final IoLoop loop;
    private final CallThreads threads;
    private final Runnable look = this::look;
    private boolean scheduled;

    public ThreadShortage(IoLoop loop, CallThreads threads) {
        this.loop = loop;
        this.threads = threads;
    }

    /** To be called when a call was handed over. Throws nothing: the call is the threads' by now. */
    public void handedOver() {
        if (threads.lacking() && !scheduled) {
            schedule();
        }
    }

    private void look() {
        scheduled = false;
        if (threads.retry()) {
            schedule();
        }
    }

    private void schedule() {
        try {
            loop.schedule(look, LOOK_NANOS);
            scheduled = true;
        } catch (RejectedExecutionException | OutOfMemoryError notNow) {
            scheduled = false;
        }
    }
}
