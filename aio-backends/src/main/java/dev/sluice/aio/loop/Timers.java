package dev.sluice.aio.loop;

import java.util.PriorityQueue;

/**
 * Tasks that are due later. Rarely used (retries, statistics), so that a heap of objects will do.
 *
 * <p><b>Threading:</b> the loop's thread. <b>Allocation:</b> an entry per timer.
 */
final class Timers {
    private final PriorityQueue<LoopTimer> waiting = new PriorityQueue<>(LoopTimer::compare);
    private long sequence;

    LoopTimer add(Runnable task, long dueNanos) {
        LoopTimer timer = new LoopTimer(dueNanos, sequence++, task);
        waiting.add(timer);
        return timer;
    }

    /** Has no effect if it has run. */
    void remove(LoopTimer timer) {
        waiting.remove(timer);
    }

    boolean isEmpty() {
        return waiting.isEmpty();
    }

    /** When the first is due; only if there is one. */
    long firstDueNanos() {
        LoopTimer first = waiting.peek();
        if (first == null) {
            throw new IllegalStateException("no timer");
        }
        return first.dueNanos;
    }

    /** Runs what is due. What a timer adds meanwhile, due or not, waits for the next tick. */
    void runDue(TickLoop loop, long nowNanos) {
        long firstOfNextTick = sequence;
        for (LoopTimer first = waiting.peek();
                first != null && first.dueNanos - nowNanos <= 0 && first.sequence < firstOfNextTick;
                first = waiting.peek()) {
            waiting.remove();
            loop.runGuarded("a timer", first.task);
        }
    }
}
