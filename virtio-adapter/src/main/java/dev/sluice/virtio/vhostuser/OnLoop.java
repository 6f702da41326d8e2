package dev.sluice.virtio.vhostuser;

import dev.sluice.pipeline.IoLoop;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** How the control thread gets something done by a loop. Never called on a loop. */
final class OnLoop {
    private static final Logger LOG = LoggerFactory.getLogger(OnLoop.class);
    private static final long LOG_INTERVAL_SECONDS = 60;

    private OnLoop() {}

    /** Runs a task on the loop and waits for its end; what it throws is thrown here. */
    static void run(IoLoop loop, Runnable task) {
        try {
            CompletableFuture.runAsync(task, loop).join();
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
     * Waits without end, because memory in use by the kernel cannot be given back. The queue itself logs what for; this is for loops that do not even do that.
     */
    static <T> T await(CompletableFuture<T> future, Object what) {
        boolean interrupted = false;
        try {
            for (long waited = 0; ; ) {
                try {
                    return future.get(LOG_INTERVAL_SECONDS, TimeUnit.SECONDS);
                } catch (TimeoutException stillBusy) {
                    waited += LOG_INTERVAL_SECONDS;
                    LOG.warn("{}: not stopped after {} s", what, waited);
                } catch (InterruptedException later) {
                    interrupted = true;
                } catch (java.util.concurrent.ExecutionException failed) {
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
