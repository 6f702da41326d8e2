package dev.sluice.server.disk;

import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import reactor.core.Exceptions;
import reactor.core.scheduler.Schedulers;

/**
 * Handles requests whose stage has thrown an error of the JVM (NoClassDefFoundError, for instance) on a thread of a Reactor scheduler: the signal is lost then,
 * and the pipeline fails the request when the garbage collector finds it unreachable. In a process of our own that need not wait for the next collection.
 *
 * <p><b>Threading:</b> any thread. <b>Allocation:</b> none except after such an error: at most one collection per second.
 */
public final class LostSignals {
    private static final String HOOK = "sluice-lost-signals";

    private LostSignals() {}

    /** For a process that only runs Sluice: the hook is process-wide. Idempotent. */
    public static void collectThem() {
        AtomicBoolean coming = new AtomicBoolean();
        Schedulers.onHandleError(HOOK, (thread, error) -> {
            // Later: the failed task still references its request.
            if (Exceptions.isJvmFatal(error) && coming.compareAndSet(false, true)) {
                CompletableFuture.delayedExecutor(1, TimeUnit.SECONDS).execute(() -> {
                    coming.set(false);
                    System.gc();
                });
            }
        });
    }
}
