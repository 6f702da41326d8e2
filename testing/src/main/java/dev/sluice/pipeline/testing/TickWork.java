package dev.sluice.pipeline.testing;

import dev.sluice.pipeline.IoLoop;
import java.util.ArrayDeque;
import java.util.Comparator;
import java.util.PriorityQueue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.function.Consumer;

/**
 * The work of a loop's tick in the order that {@link IoLoop} promises: mailbox, timers, turns, hooks.
 *
 * <p><b>Threading:</b> {@link #post} and {@link #tasks} from any thread, everything else from the loop's.
 * <b>Failure:</b> what a piece of work throws is given to {@code failed}; the next one runs. <b>Allocation:</b> none for
 * turns and hooks once the arrays have grown.
 */
final class TickWork {
    private record Timer(long dueNanos, long order, Runnable task) {}

    private final Consumer<Throwable> failed;
    private final ConcurrentLinkedQueue<Runnable> mailbox = new ConcurrentLinkedQueue<>();
    private final PriorityQueue<Timer> timers =
            new PriorityQueue<>(Comparator.comparingLong(Timer::dueNanos).thenComparingLong(Timer::order));
    private final ArrayDeque<IoLoop.Turn> turns = new ArrayDeque<>();
    private final ArrayDeque<IoLoop.TickEndHook> hooks = new ArrayDeque<>();
    private long timersMade;
    private volatile long tasksRun;

    TickWork(Consumer<Throwable> failed) {
        this.failed = failed;
    }

    void post(Runnable task) {
        mailbox.add(task);
    }

    void schedule(Runnable task, long dueNanos) {
        timers.add(new Timer(dueNanos, timersMade++, task));
    }

    void requestTurn(IoLoop.Turn turn) {
        if (!turns.contains(turn)) {
            turns.add(turn);
        }
    }

    void atTickEnd(IoLoop.TickEndHook hook) {
        hooks.add(hook);
    }

    /** Tasks run so far. */
    long tasks() {
        return tasksRun;
    }

    /** True where a tick would find something to do now. */
    boolean pending(long nowNanos) {
        return !mailbox.isEmpty() || !turns.isEmpty() || !hooks.isEmpty() || nextDueNanos() <= nowNanos;
    }

    /** When the next timer is due; {@code Long.MAX_VALUE} if there is none. */
    long nextDueNanos() {
        Timer next = timers.peek();
        return next == null ? Long.MAX_VALUE : next.dueNanos();
    }

    /** Everything between the kernel's completions and the next time the kernel is entered. */
    @SuppressWarnings("NonAtomicVolatileUpdate") // one writer, the loop
    void run(long nowNanos) {
        // What the tasks themselves post runs in the next tick, so that a task that posts itself starves nobody.
        for (int i = mailbox.size(); i > 0; i--) {
            Runnable task = mailbox.remove();
            tasksRun++;
            guarded(task);
        }
        Timer timer = timers.peek();
        while (timer != null && timer.dueNanos() <= nowNanos) {
            timers.remove();
            guarded(timer.task());
            timer = timers.peek();
        }
        for (int i = turns.size(); i > 0; i--) {
            runTurn(turns.remove());
        }
        for (IoLoop.TickEndHook hook = hooks.poll(); hook != null; hook = hooks.poll()) {
            runHook(hook);
        }
    }

    void guarded(Runnable task) {
        try {
            task.run();
        } catch (Throwable failure) {
            failed.accept(failure);
        }
    }

    private void runTurn(IoLoop.Turn turn) {
        try {
            if (turn.run()) {
                requestTurn(turn);
            }
        } catch (Throwable failure) {
            failed.accept(failure);
        }
    }

    private void runHook(IoLoop.TickEndHook hook) {
        try {
            hook.run();
        } catch (Throwable failure) {
            failed.accept(failure);
        }
    }
}
