package dev.sluice.server.systemd;

import java.util.List;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLongArray;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * Keeps the service manager informed while disks are served: keeps its watchdog alive, if it has one, as long as every loop responds; sends the status
 * whenever it changes; and asks for more time while requests in flight drain.
 *
 * <p>Does nothing without a service manager. Without a watchdog it never wakes a loop.
 *
 * <p><b>Threading:</b> a thread of its own, started before there are disks; methods from any thread. <b>Ownership:</b> whoever starts it closes it.
 * <b>Failure:</b> {@link ServiceNotifier} logs what it could not send. <b>Allocation:</b> a task per loop and half period of the watchdog.
 */
public final class ServiceReporter implements AutoCloseable {
    private static final long STATUS_NANOS = TimeUnit.SECONDS.toNanos(1);
    private static final long DRAIN_NANOS = TimeUnit.SECONDS.toNanos(5);

    private final ServiceNotifier manager;
    private final Supplier<String> status;
    private final List<? extends Executor> loops;
    /** For each loop the number of the last probe that it has run. */
    private final AtomicLongArray responded;
    /** For each loop the number of the last probe that was sent. */
    private final long[] asked;

    private final @Nullable Thread thread;
    private volatile boolean draining;
    private volatile boolean closed;

    private ServiceReporter(ServiceNotifier manager, Supplier<String> status, List<? extends Executor> loops) {
        this.manager = manager;
        this.status = status;
        this.loops = loops;
        this.responded = new AtomicLongArray(loops.size());
        this.asked = new long[loops.size()];
        this.thread = manager.isThere() ? Thread.ofPlatform().daemon().name("sluice-service-manager").unstarted(this::run) : null;
    }

    /**
     * Starts reporting.
     *
     * @param status what is served, in one line
     * @param loops each of which runs a task soon if it is alive
     */
    public static ServiceReporter start(ServiceNotifier manager, Supplier<String> status, List<? extends Executor> loops) {
        ServiceReporter reporter = new ServiceReporter(manager, status, loops);
        if (reporter.thread != null) {
            reporter.thread.start();
        }
        return reporter;
    }

    /** The process terminates once the requests in flight have completed: asks the manager for more time until then. */
    public void draining() {
        manager.stopping();
        synchronized (this) {
            draining = true;
            notifyAll();
        }
    }

    private void run() {
        long half = manager.watchdogNanos() / 2;
        // Checks more often than it has to send, so that it notices in time.
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
            if (half > 0 && System.nanoTime() - sent >= half - step / 2 && loopsHaveResponded()) {
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
                loops.get(i).execute(() -> responded.set(loop, question));
            } catch (RejectedExecutionException ended) {
                // Terminated: it will never respond.
            }
        }
    }

    private boolean loopsHaveResponded() {
        for (int i = 0; i < asked.length; i++) {
            if (responded.get(i) != asked[i]) {
                return false;
            }
        }
        return true;
    }

    /** Stops reporting. Idempotent. */
    @Override
    public synchronized void close() {
        closed = true;
        notifyAll();
    }
}
