package dev.sluice.pipeline;

import java.util.LinkedHashSet;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.RejectedExecutionException;
import org.jspecify.annotations.Nullable;

/**
 * The queues of a front end that run, on whatever loops, which are paused and resumed together. A queue that joins while the group is paused is paused.
 *
 * <p><b>Threading:</b> {@link #pause} and {@link #resume} any thread, {@link #join} and {@link #leave} the loop of the queue. <b>Allocation:</b> nothing on the
 * data path.
 */
public final class QueueGroup {
    private final Set<QueueSource> queues = new LinkedHashSet<>();
    private @Nullable CompletableFuture<Void> paused;

    public QueueGroup() {}

    /** A queue begins to run, before its first turn. */
    public synchronized void join(QueueSource queue) {
        queues.add(queue);
        if (paused != null) {
            queue.pause(() -> {});
        }
    }

    /** A queue has stopped. */
    public synchronized void leave(QueueSource queue) {
        queues.remove(queue);
    }

    /**
     * Pauses all queues, as {@link QueueSource#pause} does.
     *
     * @return completes when none of them has a request in flight, possibly at once and on a loop; cancelled if they are resumed before. The same future for
     * all
     *     calls until {@link #resume}
     */
    public synchronized CompletableFuture<Void> pause() {
        CompletableFuture<Void> pausing = paused;
        if (pausing == null) {
            pausing = CompletableFuture.allOf(queues.stream().map(QueueGroup::paused).toArray(CompletableFuture<?>[]::new));
            paused = pausing;
        }
        // A copy: the caller may complete or cancel what it gets.
        return pausing.copy();
    }

    private static CompletableFuture<Void> paused(QueueSource queue) {
        CompletableFuture<Void> idle = new CompletableFuture<>();
        try {
            queue.loop().execute(() -> queue.pause(() -> idle.complete(null)));
        } catch (RejectedExecutionException closed) {
            // A loop that was closed has nothing in flight.
            idle.complete(null);
        }
        return idle;
    }

    /** Resumes all queues. */
    public synchronized void resume() {
        CompletableFuture<Void> pausing = paused;
        if (pausing == null) {
            return;
        }
        paused = null;
        pausing.cancel(false);
        for (QueueSource queue : queues) {
            try {
                queue.loop().execute(queue::resume);
            } catch (RejectedExecutionException closed) {
                // Nothing is left to be resumed.
            }
        }
    }

    public synchronized boolean isPaused() {
        return paused != null;
    }
}
