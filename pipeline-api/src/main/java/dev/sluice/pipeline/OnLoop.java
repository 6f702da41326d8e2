package dev.sluice.pipeline;

import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Work that is done on a loop while the caller waits. For the control plane: it blocks.
 *
 * <p><b>Threading:</b> any thread but the loop's, which would wait for itself, and none that a loop waits for. <b>Failure:</b> what the work throws is
 * thrown to the caller; {@link RejectedExecutionException} if the loop has been closed.
 */
public final class OnLoop {
    private static final Logger LOG = LoggerFactory.getLogger(OnLoop.class);
    private static final long LOG_INTERVAL_SECONDS = 60;

    private OnLoop() {}

    /** Runs a task on the loop and waits until it has ended. */
    public static void run(IoLoop loop, Runnable task) {
        call(loop, () -> {
            task.run();
            return true;
        });
    }

    /** Computes a value on the loop. */
    public static <T> T call(IoLoop loop, Supplier<T> work) {
        try {
            return CompletableFuture.supplyAsync(work, loop).join();
        } catch (CompletionException failed) {
            if (failed.getCause() instanceof RuntimeException cause) {
                throw cause;
            }
            if (failed.getCause() instanceof Error cause) {
                throw cause;
            }
            throw failed;
        }
    }

    /**
     * Waits without end for what a loop completes, because memory in use by the kernel cannot be released. Whatever it waits for logs why it takes so long;
     * this logs once a minute, for loops that do not even do that.
     *
     * @param what names it in the log
     */
    public static <T> T await(CompletableFuture<T> future, Object what) {
        boolean interrupted = false;
        try {
            for (long waited = 0;;) {
                try {
                    return future.get(LOG_INTERVAL_SECONDS, TimeUnit.SECONDS);
                } catch (TimeoutException stillBusy) {
                    waited += LOG_INTERVAL_SECONDS;
                    LOG.warn("{}: not stopped after {} s", what, waited);
                } catch (InterruptedException later) {
                    interrupted = true;
                } catch (ExecutionException failed) {
                    throw new IllegalStateException(what + " cannot be stopped", failed.getCause());
                }
            }
        } finally {
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }
}
