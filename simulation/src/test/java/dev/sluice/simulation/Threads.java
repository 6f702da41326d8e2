package dev.sluice.simulation;

import java.lang.reflect.Constructor;
import java.util.ArrayDeque;
import java.util.concurrent.Executor;
import java.util.concurrent.ThreadFactory;

/**
 * The threads of the simulated process beside the loop: virtual ones, which run only when the simulation says so. Whatever they wait for (a loop's task, a
 * message, work) parks them, and the simulation goes on in the one thread that there is.
 */
final class Threads {
    private final ArrayDeque<Runnable> runnable = new ArrayDeque<>();
    private final ThreadFactory factory;

    Threads() {
        this.factory = builder(this::enqueue).name("simulated-", 0).factory();
    }

    /** The constructor that the JDK's own tests use; there is no public one with a scheduler. */
    private static Thread.Builder.OfVirtual builder(Executor scheduler) {
        try {
            Constructor<?> constructor = Class.forName("java.lang.ThreadBuilders$VirtualThreadBuilder").getDeclaredConstructor(Executor.class);
            constructor.setAccessible(true);
            return (Thread.Builder.OfVirtual) constructor.newInstance(scheduler);
        } catch (ReflectiveOperationException changed) {
            throw new IllegalStateException("this JDK has no virtual threads with a scheduler of one's own", changed);
        }
    }

    private void enqueue(Runnable continuation) {
        synchronized (runnable) {
            runnable.add(continuation);
        }
    }

    ThreadFactory factory() {
        return factory;
    }

    Thread start(Runnable task) {
        Thread thread = factory.newThread(task);
        thread.start();
        return thread;
    }

    boolean anyRunnable() {
        synchronized (runnable) {
            return !runnable.isEmpty();
        }
    }

    /** Runs one that can run until it waits. */
    void runOne() {
        Runnable next;
        synchronized (runnable) {
            next = runnable.poll();
        }
        if (next != null) {
            next.run();
        }
    }
}
