package dev.sluice.device;

import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.BooleanSupplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Tasks that wait until something is available. They run one at a time, in the order in which they were added, and never nested in one another: a task
 * that releases what it took leaves the next one to the running drain. A thousand refusals in a row therefore need the stack of one.
 *
 * <p><b>Threading:</b> any; one thread at a time drains, the first to arrive, also on behalf of later ones. <b>Failure:</b> a task that
 * throws is logged and does not hold back those behind it. <b>Allocation:</b> a node per task.
 */
final class PendingTasks {
    private static final Logger LOG = LoggerFactory.getLogger(PendingTasks.class);

    private final ConcurrentLinkedQueue<Runnable> tasks = new ConcurrentLinkedQueue<>();
    private final AtomicInteger news = new AtomicInteger();
    private final BooleanSupplier available;

    /** Runs tasks for as long as {@code available}. */
    PendingTasks(BooleanSupplier available) {
        this.available = available;
    }

    /** Adds a task, which possibly runs before this returns, but never inside another task of this object. */
    void add(Runnable task) {
        tasks.add(task);
        drain();
    }

    /** Call this when something has become available. */
    void drain() {
        if (news.getAndIncrement() != 0) {
            return;
        }
        int seen = 1;
        do {
            while (available.getAsBoolean()) {
                Runnable next = tasks.poll();
                if (next == null) {
                    break;
                }
                run(next);
            }
            seen = news.addAndGet(-seen);
        } while (seen != 0);
    }

    private static void run(Runnable task) {
        try {
            task.run();
        } catch (Throwable failure) {
            LOG.error("a pending task failed", failure);
        }
    }
}
