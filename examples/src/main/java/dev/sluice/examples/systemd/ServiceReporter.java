package dev.sluice.examples.systemd;

import java.util.List;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLongArray;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * Keeps the service manager informed while disks are served: its watchdog, if it has one, as long as every loop responds; what is served whenever that has
 * changed; and while what is in flight drains, that it takes longer.
 *
 * <p>Without a service manager this is nothing. Without a watchdog no loop is ever woken.
 *
 * <p><b>Threading:</b> a thread of its own, started before there are disks; methods from any thread. <b>Ownership:</b> who starts it closes it.
 * <b>Failure:</b> what the manager cannot be told is logged by {@link ServiceNotifier}. <b>Allocation:</b> a task for each loop and half period of the watchdog.
 */
public final class ServiceReporter implements AutoCloseable {
    private static final long STATUS_NANOS = TimeUnit.SECONDS.toNanos(1);
    private static final long DRAIN_NANOS = TimeUnit.SECONDS.toNanos(5);

    private final ServiceNotifier manager;
    private final Supplier<String> status;
    private final List<? extends Executor> loops;
    /** For each loop the number of the last question that it has answered. */
    private final AtomicLongArray answered;
    /** For each loop the number of the last question that it was asked. */
    private final long[] asked;

    private final @Nullable Thread thread;
    private volatile boolean draining;
    private volatile boolean closed;

    private ServiceReporter(ServiceNotifier manager, Supplier<String> status, List<? extends Executor> loops) {
        this.manager = manager;
        this.status = status;
        this.loops = loops;
        this.answered = new AtomicLongArray(loops.size());
        this.asked = new long[loops.size()];
        this.thread = manager.isThere() ? Thread.ofPlatform().daemon().name("sluice-service-manager").unstarted(this::run) : null;
    }

    /**
     * Starts reporting.
     *
     * @param status what is served, in a line
     * @param loops each of which runs a task soon if it responds
     */
    public static ServiceReporter start(ServiceNotifier manager, Supplier<String> status, List<? extends Executor> loops) {
        ServiceReporter reporter = new ServiceReporter(manager, status, loops);
        if (reporter.thread != null) {
            reporter.thread.start();
        }
        return reporter;
    }

    /** The process ends when what is in flight has been finished: from now on the manager is asked for more time, until that is so. */
    public void draining() {
        manager.stopping();
        synchronized (this) {
            draining = true;
            notifyAll();
        }
    }

    private void run() {
        long half = manager.watchdogNanos() / 2;
        // What has to be seen in time is looked at more often than it has to be sent.
        long step = half > 0 ? Math.max(1, Math.min(STATUS_NANOS, half / 4)) : STATUS_NANOS;
        long sent = System.nanoTime();
        askLoops();
        while (!closed) {
            pause(draining ? DRAIN_NANOS : step);
            if (closed) {
                return;
            }
            if (draining) {
                manager.extendTimeout();
                continue;
            }
            if (half > 0 && System.nanoTime() - sent >= half - step / 2 && loopsHaveAnswered()) {
                manager.alive();
                sent = System.nanoTime();
                askLoops();
            }
            manager.status(status);
        }
    }

    private synchronized void pause(long nanos) {
        boolean drained = draining;
        long deadline = System.nanoTime() + nanos;
        long left = nanos;
        while (left > 0 && !closed && draining == drained) {
            try {
                TimeUnit.NANOSECONDS.timedWait(this, left);
            } catch (InterruptedException ended) {
                closed = true;
            }
            left = deadline - System.nanoTime();
        }
    }

    private void askLoops() {
        if (manager.watchdogNanos() == 0) {
            return;
        }
        for (int i = 0; i < asked.length; i++) {
            int loop = i;
            long question = ++asked[i];
            try {
                loops.get(i).execute(() -> answered.set(loop, question));
            } catch (RejectedExecutionException ended) {
                // It has not answered, then, and never will.
            }
        }
    }

    private boolean loopsHaveAnswered() {
        for (int i = 0; i < asked.length; i++) {
            if (answered.get(i) != asked[i]) {
                return false;
            }
        }
        return true;
    }

    /** Reports no more. Idempotent. */
    @Override
    public synchronized void close() {
        closed = true;
        notifyAll();
    }
}
