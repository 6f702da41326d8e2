package dev.sluice.device;

import dev.sluice.pipeline.IoLoop;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import org.jspecify.annotations.Nullable;

/** Runs work on a loop and waits for it. Set-up only. */
final class Loops {
    private Loops() {}

    /** Runs a task on a loop's thread, directly if the caller is on it; throws what the task throws. */
    static void run(IoLoop loop, Runnable task) {
        if (loop.inLoop()) {
            task.run();
            return;
        }
        try {
            CompletableFuture.runAsync(task, loop).join();
        } catch (CompletionException failed) {
            throw unwrapped(failed.getCause(), failed);
        }
    }

    private static RuntimeException unwrapped(@Nullable Throwable cause, CompletionException wrapper) {
        return cause instanceof RuntimeException direct ? direct : wrapper;
    }
}
