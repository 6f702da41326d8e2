package dev.sluice.aio.loop;

import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.RejectedExecutionException;

/**
 * Tasks that other threads hand to the loop: the only structure that more than one thread writes.
 *
 * <p><b>Threading:</b> {@link #post} from any thread, everything else from the loop's. <b>Failure:</b>
 * {@link RejectedExecutionException} once {@link #close} was called; each task posted before is run. <b>Allocation:</b> a queue node a task.
 */
final class Mailbox {
    private final ConcurrentLinkedQueue<Runnable> tasks = new ConcurrentLinkedQueue<>();
    private final String loopName;
    private final Runnable wakeUp;

    /**
     * Whether the loop may be waiting in the kernel. A task and this flag are Dekker's two variables: the poster writes the queue and
     * reads the flag, the loop writes the flag and reads the queue ({@link #mayWait}), each with volatile accesses, so at least one of
     * them sees the other.
     */
    private volatile boolean waiting;

    private volatile boolean closed;

    Mailbox(String loopName, Runnable wakeUp) {
        this.loopName = loopName;
        this.wakeUp = wakeUp;
    }

    void post(Runnable task) {
        if (closed) {
            throw rejected();
        }
        tasks.add(task);
        // Pairs with close(): whoever sees the other's write last takes the task out, the loop to run it or this thread to reject it.
        if (closed && tasks.remove(task)) {
            throw rejected();
        }
        if (waiting) {
            wakeUp.run();
        }
    }

    /** Announces that the loop is about to wait. False where a task is there; then it must not wait. */
    boolean mayWait() {
        waiting = true;
        if (tasks.isEmpty()) {
            return true;
        }
        waiting = false;
        return false;
    }

    /** The loop is awake. */
    void awake() {
        if (waiting) {
            waiting = false;
        }
    }

    boolean isEmpty() {
        return tasks.isEmpty();
    }

    /** Runs at most {@code limit} tasks; returns how many. What tasks post themselves counts among them. */
    int runAll(TickLoop loop, int limit) {
        int ran = 0;
        for (Runnable task; ran < limit && (task = tasks.poll()) != null; ran++) {
            loop.runGuarded("a task", task);
        }
        return ran;
    }

    void close() {
        closed = true;
    }

    private RejectedExecutionException rejected() {
        return new RejectedExecutionException(loopName + " has ended");
    }
}
