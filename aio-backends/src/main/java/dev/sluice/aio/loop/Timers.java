package dev.sluice.aio.loop;

import java.util.PriorityQueue;

/**
 * What is due later. Seldom used (retries, statistics), so that a heap of objects will do.
 *
 * <p><b>Threading:</b> the loop's thread. <b>Allocation:</b> an entry per timer.
 */
final class Timers {
    private final PriorityQueue<Timer> waiting = new PriorityQueue<>(Timers::compare);
    private long sequence;

    private record Timer(long dueNanos, long sequence, Runnable task) {}

    /** Times of {@link System#nanoTime} compare by difference; equal ones run in the order of asking. */
    private static int compare(Timer one, Timer other) {
        long difference = one.dueNanos - other.dueNanos;
        return difference != 0 ? Long.signum(difference) : Long.compare(one.sequence, other.sequence);
    }

    void add(Runnable task, long dueNanos) {
        waiting.add(new Timer(dueNanos, sequence++, task));
    }

    boolean isEmpty() {
        return waiting.isEmpty();
    }

    /** When the first is due; only where there is one. */
    long firstDueNanos() {
        Timer first = waiting.peek();
        if (first == null) {
            throw new IllegalStateException("no timer");
        }
        return first.dueNanos;
    }

    /** Runs what is due. What a timer adds meanwhile, due or not, waits for the next tick. */
    void runDue(TickLoop loop, long nowNanos) {
        long firstOfNextTick = sequence;
        for (Timer first = waiting.peek();
                first != null && first.dueNanos - nowNanos <= 0 && first.sequence < firstOfNextTick;
                first = waiting.peek()) {
            waiting.remove();
            loop.runGuarded("a timer", first.task);
        }
    }
}
