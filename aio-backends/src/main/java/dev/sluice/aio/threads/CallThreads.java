package dev.sluice.aio.threads;

import dev.sluice.pipeline.Backoff;
import java.io.IOException;
import java.util.ArrayDeque;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A few threads for calls that block. The first is there from the start and stays, so that nothing depends on a thread that could be refused later (pids.max,
 * TasksMax, RLIMIT_NPROC); further ones are started when calls queue up and terminate after {@value #IDLE_SECONDS} s without work. A further one that cannot be
 * started is left out: the threads that exist do its calls.
 *
 * <p>The queue is bounded by the slots of the sinks, each of which has at most one call in it.
 *
 * <p><b>Threading:</b> any. <b>Ownership:</b> the backend's. <b>Failure:</b> {@link #start} throws if not even one thread can be had; {@link #run} returns
 * false only without any thread. <b>Allocation:</b> none per call but the caller's task.
 */
public final class CallThreads {
    private static final Logger LOG = LoggerFactory.getLogger(CallThreads.class);
    private static final int IDLE_SECONDS = 10;
    private static final long IDLE_NANOS = TimeUnit.SECONDS.toNanos(IDLE_SECONDS);
    /** Doubles up to a minute: for each try the JVM writes two lines of its own. */
    private static final long FIRST_REFUSED_PAUSE_NANOS = TimeUnit.SECONDS.toNanos(1);

    private static final int MAX_DOUBLINGS = 6;

    private final String name;
    private final int most;
    private final ThreadFactory factory;
    private final LongSupplier clock;
    private final ReentrantLock lock = new ReentrantLock();
    private final Condition work = lock.newCondition();
    private final ArrayDeque<Runnable> queue = new ArrayDeque<>();
    private int threads;
    private int idle;
    private boolean closed;
    /** Between tries to start a further thread. */
    private final Backoff backoff = new Backoff(FIRST_REFUSED_PAUSE_NANOS, MAX_DOUBLINGS);

    private long askAgainNanos;

    /**
     * Threads of which none exists yet.
     *
     * @param most how many there are at most
     */
    public CallThreads(String name, int most, ThreadFactory factory) {
        this(name, most, factory, System::nanoTime);
    }

    CallThreads(String name, int most, ThreadFactory factory, LongSupplier clock) {
        this.name = name;
        this.most = most;
        this.factory = factory;
        this.clock = clock;
        this.askAgainNanos = clock.getAsLong();
    }

    /**
     * Threads of which the first runs.
     *
     * @param name of the threads, a number follows
     * @param most how many there are at most
     * @throws IOException with one line if the first cannot be started
     */
    public static CallThreads start(String name, int most) throws IOException {
        CallThreads threads = new CallThreads(name, most, Thread.ofPlatform().daemon().name(name, 0).factory());
        threads.startFirst();
        return threads;
    }

    void startFirst() throws IOException {
        Throwable refused;
        lock.lock();
        try {
            refused = startOne();
        } finally {
            lock.unlock();
        }
        if (refused != null) {
            throw new IOException(
                    "cannot start thread " + name + "0 (" + refused.getMessage()
                            + "): raise the limit of tasks (TasksMax= of the unit, pids.max of the container, ulimit -u), or free memory",
                    refused);
        }
    }

    /**
     * Has a call made by one of the threads, in the order of asking.
     *
     * @return false if there is no thread and none can be started: nothing has happened then
     */
    public boolean run(Runnable call) {
        lock.lock();
        try {
            if (threads == 0 && startOne() != null) {
                return false;
            }
            queue.add(call);
            if (idle >= queue.size()) {
                work.signal();
            } else if (threads < most && !closed && clock.getAsLong() - askAgainNanos >= 0) {
                Throwable refused = startOne();
                if (refused == null) {
                    backoff.reset();
                } else {
                    leaveOut(refused);
                }
            }
            return true;
        } finally {
            lock.unlock();
        }
    }

    /** What was handed over before is still done. */
    public void close() {
        lock.lock();
        try {
            closed = true;
            work.signalAll();
        } finally {
            lock.unlock();
        }
    }

    /** Returns what was in the way, or null. Counted only once it runs; it waits for the caller's lock. */
    private @Nullable Throwable startOne() {
        try {
            Thread started = factory.newThread(this::work);
            started.start();
            threads++;
            return null;
        } catch (Throwable refused) {
            return refused;
        }
    }

    private void leaveOut(Throwable refused) {
        boolean first = !backoff.failing();
        askAgainNanos = clock.getAsLong() + backoff.nextPauseNanos();
        if (first) {
            LOG.warn("{}: no further thread can be started ({}); calls are made by {} until one can: raise the limit of tasks (TasksMax=, pids.max, ulimit -u)",
                    name, refused.getMessage(), threads);
        }
    }

    private void work() {
        for (Runnable call = next(); call != null; call = next()) {
            try {
                call.run();
            } catch (Throwable failure) {
                failed(failure);
            }
        }
    }

    /** The next call; null if the thread is to end, in which case it is not counted any more. */
    private @Nullable Runnable next() {
        lock.lock();
        try {
            long idleSince = clock.getAsLong();
            while (queue.isEmpty()) {
                boolean late = threads > 1 && clock.getAsLong() - idleSince >= IDLE_NANOS;
                if (closed || late) {
                    threads--;
                    return null;
                }
                idle++;
                try {
                    long _ = work.awaitNanos(IDLE_NANOS);
                } catch (InterruptedException nobodysBusiness) {
                    // Nobody interrupts these threads but by accident; the loop looks again.
                } finally {
                    idle--;
                }
            }
            return queue.poll();
        } finally {
            lock.unlock();
        }
    }

    private void failed(Throwable failure) {
        try {
            LOG.error("{}: a call failed", name, failure);
        } catch (Throwable loggerFailed) {
            // Out of memory, say: the thread outlives its logger.
        }
    }
}
