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
 * Whether loops are alive: each is given an empty task and has to run it in time. A loop that does not answer is asked once, however often somebody
 * wants to know.
 *
 * <p><b>Threading:</b> any thread but a loop's; one asks, others wait for it.
 */
public final class LoopHealth implements Supplier<Optional<String>> {
    private final List<IoLoop> loops;
    private final long patienceNanos;
    private final Map<IoLoop, CompletableFuture<Boolean>> asked = new HashMap<>();

    /** Health of loops that may take so long to answer. */
    public LoopHealth(List<IoLoop> loops, Duration patience) {
        this.loops = List.copyOf(loops);
        this.patienceNanos = patience.toNanos();
    }

    /** What is wrong, in a line; empty where nothing is. */
    @Override
    public synchronized Optional<String> get() {
        loops.forEach(loop -> asked.computeIfAbsent(loop, LoopHealth::ask));
        long deadlineNanos = System.nanoTime() + patienceNanos;
        for (IoLoop loop : loops) {
            CompletableFuture<Boolean> answer = asked.getOrDefault(loop, CompletableFuture.completedFuture(false));
            try {
                boolean alive = answer.get(Math.max(0, deadlineNanos - System.nanoTime()), TimeUnit.NANOSECONDS);
                asked.remove(loop);
                if (!alive) {
                    return Optional.of("loop " + loop.name() + " has ended");
                }
            } catch (TimeoutException busy) {
                return Optional.of("loop " + loop.name() + " does not answer");
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
        CompletableFuture<Boolean> answer = new CompletableFuture<>();
        try {
            loop.execute(() -> answer.complete(true));
        } catch (RejectedExecutionException ended) {
            answer.complete(false);
        }
        return answer;
    }
}
