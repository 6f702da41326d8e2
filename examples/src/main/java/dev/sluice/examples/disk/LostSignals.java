package dev.sluice.examples.disk;

import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import reactor.core.Exceptions;
import reactor.core.scheduler.Schedulers;

/**
 * Sees to requests whose stage has thrown an error of the JVM (NoClassDefFoundError, say) on a thread of a Reactor scheduler: the signal is lost then, and the pipeline
 * fails the request when the garbage collector has found that nothing refers to it. In a process of our own that need not wait for the next collection.
 *
 * <p><b>Threading:</b> any thread. <b>Allocation:</b> none but after such an error: at most one collection a second.
 */
public final class LostSignals {
    private static final String HOOK = "sluice-lost-signals";

    private LostSignals() {}

    /** For a process that is Sluice's alone: the hook is the whole process's. Idempotent. */
    public static void collectThem() {
        AtomicBoolean coming = new AtomicBoolean();
        Schedulers.onHandleError(HOOK, (thread, error) -> {
            // Later: the task that has failed still refers to its request.
            if (Exceptions.isJvmFatal(error) && coming.compareAndSet(false, true)) {
                CompletableFuture.delayedExecutor(1, TimeUnit.SECONDS).execute(() -> {
                    coming.set(false);
                    System.gc();
                });
            }
        });
    }
}
