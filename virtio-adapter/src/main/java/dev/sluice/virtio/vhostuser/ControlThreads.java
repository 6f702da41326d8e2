package dev.sluice.virtio.vhostuser;

import java.io.IOException;
import java.util.ArrayDeque;
import java.util.concurrent.ThreadFactory;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The threads that serve connected front ends: one for each, and a spare one, which exists before somebody connects, so that the next connection does not
 * depend on a thread that could be refused then (pids.max, TasksMax, RLIMIT_NPROC). There are never more than there are devices, of which each serves one
 * front end at a time.
 *
 * <p><b>Threading:</b> any. <b>Failure:</b> {@link #admit} throws if there is no spare thread and none can be started; {@link #run} returns false then.
 * <b>Allocation:</b> a thread at times, as somebody connects.
 */
final class ControlThreads {
    /** What a thread does for one device. */
    @FunctionalInterface
    interface Task {
        /** Returns what is to be done as soon as the thread is spare again. */
        Runnable run();
    }

    private static final Logger LOG = LoggerFactory.getLogger(ControlThreads.class);

    private final ThreadFactory factory;
    private final ArrayDeque<Task> handedOver = new ArrayDeque<>();
    private int devices;
    private int threads;
    /** Threads that nothing was handed over to. */
    private int spare;

    ControlThreads(ThreadFactory factory) {
        this.factory = factory;
    }

    /**
     * A further device may be served: from now on there is a spare thread for it.
     *
     * @throws IOException with one line if none can be started; then nothing has changed
     */
    synchronized void admit() throws IOException {
        Throwable refused = spare == 0 ? startOne() : null;
        if (refused != null) {
            throw new IOException("cannot start a thread for front ends (" + refused.getMessage() + "): " + advice(), refused);
        }
        devices++;
    }

    /** What to do about a thread that was refused. */
    static String advice() {
        return "raise the limit of tasks (TasksMax= of the unit, pids.max of the container, ulimit -u), or free memory";
    }

    /** A device is served no more. With the last one the spare thread terminates. */
    synchronized void dismiss() {
        devices--;
        notifyAll();
    }

    /**
     * Has a task run by a thread of its own, now.
     *
     * @return why that is impossible, null if it is done: then a further spare thread is started, if one can be
     */
    synchronized @Nullable Throwable run(Task task) {
        Throwable refused = spare == 0 ? startOne() : null;
        if (refused != null) {
            return refused;
        }
        handedOver.add(task);
        spare--;
        notifyAll();
        if (spare == 0 && threads < devices) {
            // In vain at a limit: the next connection tries again.
            Throwable _ = startOne();
        }
        return null;
    }

    /** Returns what was in the way, or null. Counted only once it runs; it waits for the monitor. */
    private @Nullable Throwable startOne() {
        try {
            factory.newThread(this::work).start();
            threads++;
            spare++;
            return null;
        } catch (Throwable refused) {
            return refused;
        }
    }

    private void work() {
        for (Task task = next(); task != null; task = next()) {
            Runnable then = guarded(task);
            finished();
            guarded(then);
        }
    }

    private static Runnable guarded(Task task) {
        try {
            return task.run();
        } catch (Throwable bug) {
            report("a control thread failed on an error of Sluice", bug);
            return () -> {};
        }
    }

    private static void guarded(Runnable then) {
        try {
            then.run();
        } catch (Throwable bug) {
            report("a control thread failed on an error of Sluice", bug);
        }
    }

    /** Logs where a thread must not end for want of the memory that a log line takes. */
    static void report(String what, Throwable failed) {
        try {
            LOG.error("{}", what, failed);
        } catch (Throwable alsoFailed) {
            // The thread is worth more than the line.
        }
    }

    private synchronized void finished() {
        spare++;
    }

    /** The next task; null if the thread is to terminate, in which case it is not counted any more. */
    private synchronized @Nullable Task next() {
        while (handedOver.isEmpty()) {
            if (devices == 0 || spare > 1) {
                threads--;
                spare--;
                return null;
            }
            try {
                wait();
            } catch (InterruptedException nobodysBusiness) {
                // Nobody interrupts these threads but by accident; the loop looks again.
            }
        }
        return handedOver.remove();
    }
}
