package dev.sluice.metrics.http;

import dev.sluice.pipeline.IoLoop;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Supplier;

/**
 * Whether loops are alive: each gets an empty task and has to run it in time. A loop that does not respond has one task pending, however often its
 * health is queried.
 *
 * <p><b>Threading:</b> any thread but a loop's; one thread checks, others wait for it.
 */
public final class LoopHealth implements Supplier<Optional<String>> {
    private final List<IoLoop> loops;
    private final long patienceNanos;
    private final Map<IoLoop, CompletableFuture<Boolean>> asked = new HashMap<>();

    /** Health of loops that have {@code patience} to respond. */
    public LoopHealth(List<IoLoop> loops, Duration patience) {
        this.loops = List.copyOf(loops);
        this.patienceNanos = patience.toNanos();
    }

    /** The problem in one line; empty if there is none. */
    @Override
    public synchronized Optional<String> get() {
        loops.forEach(loop -> asked.computeIfAbsent(loop, LoopHealth::ask));
        long deadlineNanos = System.nanoTime() + patienceNanos;
        for (IoLoop loop : loops) {
            CompletableFuture<Boolean> response = asked.getOrDefault(loop, CompletableFuture.completedFuture(false));
            try {
                boolean alive = response.get(Math.max(0, deadlineNanos - System.nanoTime()), TimeUnit.NANOSECONDS);
                asked.remove(loop);
                if (!alive) {
                    return Optional.of("loop " + loop.name() + " has terminated");
                }
            } catch (TimeoutException busy) {
                return Optional.of("loop " + loop.name() + " does not respond");
            } catch (ExecutionException impossible) {
                throw new IllegalStateException(impossible);
            } catch (InterruptedException ending) {
                Thread.currentThread().interrupt();
                return Optional.of("interrupted");
            }
        }
        return Optional.empty();
    }

    private static CompletableFuture<Boolean> ask(IoLoop loop) {
        CompletableFuture<Boolean> response = new CompletableFuture<>();
        try {
            loop.execute(() -> response.complete(true));
        } catch (RejectedExecutionException ended) {
            response.complete(false);
        }
        return response;
    }
}
