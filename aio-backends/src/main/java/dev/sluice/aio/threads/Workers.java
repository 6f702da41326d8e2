package dev.sluice.aio.threads;

import dev.sluice.pipeline.Backoff;
import java.io.IOException;
import java.util.Objects;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The threads behind one or several {@link CallThreads}. At most as many as these may have together; of each, no more calls are made at once than it may have
 * threads, and those that are ready are made in the order in which they became so: a share whose calls hang does not hold up the others for longer than it
 * takes to start a thread.
 *
 * <p><b>Threading:</b> any. <b>Failure:</b> as {@link CallThreads} says.
 */
final class Workers {
    static final int IDLE_SECONDS = 10;

    private static final Logger LOG = LoggerFactory.getLogger(CallThreads.class);
    private static final long IDLE_NANOS = TimeUnit.SECONDS.toNanos(IDLE_SECONDS);
    /** Doubles up to a minute where no call waits: for each try the JVM writes two lines of its own. */
    private static final long FIRST_REFUSED_PAUSE_NANOS = TimeUnit.SECONDS.toNanos(1);

    private static final int MAX_DOUBLINGS = 6;
    /** The longest pause while a call waits. */
    private static final long LACKING_PAUSE_NANOS = TimeUnit.SECONDS.toNanos(4);

    private final String name;
    /** How many threads are to be idle when a call is handed over: the next one may belong to another image, and come when none can be started. */
    private final int spare;
    private final ThreadFactory factory;
    private final LongSupplier clock;
    private final ReentrantLock lock = new ReentrantLock();
    private final Condition work = lock.newCondition();
    /** Whose calls are to be made, one entry a call. */
    private final Ring<CallThreads> ready = new Ring<>();
    /** Calls in the queues of all shares, at least as many as are ready. */
    private int queued;

    private int open;
    private int most;
    private int threads;
    private int idle;
    /** Threads that have yet to look for their first call. */
    private int starting;
    /** Between tries to start a further thread. */
    private final Backoff backoff = new Backoff(FIRST_REFUSED_PAUSE_NANOS, MAX_DOUBLINGS);

    private long refusedNanos;
    private long pauseNanos;
    /** Written under the lock; read without it by whoever has just handed over a call. */
    private volatile boolean lacking;

    /** @param spare whether a thread is started before it is needed */
    Workers(String name, boolean spare, ThreadFactory factory, LongSupplier clock) {
        this.name = name;
        this.spare = spare ? 1 : 0;
        this.factory = factory;
        this.clock = clock;
    }

    void open(CallThreads share) {
        lock.lock();
        try {
            open++;
            most += share.most;
        } finally {
            lock.unlock();
        }
    }

    void startFirst() throws IOException {
        Throwable refused;
        lock.lock();
        try {
            refused = threads == 0 ? startOne() : null;
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

    /** As {@link CallThreads#run}. */
    boolean run(CallThreads share, Runnable call) {
        lock.lock();
        try {
            if (threads == 0 && startOne() != null) {
                return false;
            }
            // Whatever can fail comes before: a call that was queued is made, and its owner must not hear otherwise.
            share.queue.reserve(share.queue.size() + 1);
            ready.reserve(queued + 1);
            share.queue.add(call);
            queued++;
            if (admit(share) && idle >= ready.size()) {
                work.signal();
            }
            boolean _ = startFurther();
            lacking = tooFew();
            return true;
        } finally {
            lock.unlock();
        }
    }

    /** As {@link CallThreads#lacking}. */
    boolean lacking() {
        return lacking;
    }

    /** As {@link CallThreads#retry}. */
    boolean retry() {
        lock.lock();
        try {
            boolean more = true;
            while (more && tooFew()) {
                more = startFurther();
            }
            lacking = tooFew();
            return lacking;
        } finally {
            lock.unlock();
        }
    }

    /** Whether a call waits for a thread that could exist. */
    private boolean tooFew() {
        return idle + starting < ready.size() && threads < most;
    }

    /** Whether a further call of a share may be made now. */
    private boolean admit(CallThreads share) {
        boolean admitted = share.ready < share.queue.size() && share.ready + share.running < share.most;
        if (admitted) {
            share.ready++;
            ready.add(share);
        }
        return admitted;
    }

    /** Starts a further thread if one is needed. Returns whether it did. */
    private boolean startFurther() {
        if (idle + starting >= ready.size() + spare || threads >= most || pausing()) {
            return false;
        }
        Throwable refused = startOne();
        if (refused == null) {
            backoff.reset();
            return true;
        }
        leaveOut(refused);
        return false;
    }

    /** Whether a thread was refused just before. */
    private boolean pausing() {
        long pause = tooFew() ? Math.min(pauseNanos, LACKING_PAUSE_NANOS) : pauseNanos;
        return backoff.failing() && clock.getAsLong() - refusedNanos < pause;
    }

    /** As {@link CallThreads#close}; once for each share. */
    void close(CallThreads share) {
        lock.lock();
        try {
            if (!share.closed) {
                share.closed = true;
                open--;
                most -= share.most;
                work.signalAll();
            }
        } finally {
            lock.unlock();
        }
    }

    /** Returns what was in the way, or null. Counted only once it runs; it waits for the caller's lock. */
    private @Nullable Throwable startOne() {
        try {
            Thread started = factory.newThread(new Worker());
            started.start();
            threads++;
            starting++;
            return null;
        } catch (Throwable refused) {
            return refused;
        }
    }

    private void leaveOut(Throwable refused) {
        boolean first = !backoff.failing();
        refusedNanos = clock.getAsLong();
        pauseNanos = backoff.nextPauseNanos();
        if (!first) {
            return;
        }
        try {
            LOG.warn("{}: no further thread can be started ({}); calls are made by {} until one can: raise the limit of tasks (TasksMax=, pids.max, ulimit -u)",
                    name, refused.getMessage(), threads);
        } catch (Throwable loggerFailed) {
            // Out of memory, say: the call is queued already.
        }
    }

    /**
     * Takes what a thread is to do next. False if the thread is to end, in which case it is not counted any more.
     *
     * @param worker whose last call is made
     */
    private boolean next(Worker worker) {
        lock.lock();
        try {
            if (worker.starts) {
                worker.starts = false;
                starting--;
            }
            CallThreads finished = worker.share;
            if (finished != null) {
                finished.running--;
                boolean _ = admit(finished);
            }
            worker.share = null;
            worker.call = null;
            long idleSince = clock.getAsLong();
            while (ready.isEmpty()) {
                // The others may all hang: one more that is idle has to remain where images share them.
                boolean late = threads > 1 && idle >= spare && clock.getAsLong() - idleSince >= IDLE_NANOS;
                if (open == 0 || late) {
                    threads--;
                    return false;
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
            CallThreads share = ready.remove();
            share.ready--;
            share.running++;
            worker.share = share;
            worker.call = share.queue.remove();
            queued--;
            return true;
        } finally {
            lock.unlock();
        }
    }

    /** What one thread does. */
    private final class Worker implements Runnable {
        /** Whose call it makes. */
        private @Nullable CallThreads share;

        private @Nullable Runnable call;
        /** Whether it has yet to look for its first call. */
        private boolean starts = true;

        @Override
        public void run() {
            while (next(this)) {
                try {
                    Objects.requireNonNull(call).run();
                } catch (Throwable failure) {
                    failed(Objects.requireNonNull(share), failure);
                }
            }
        }
    }

    private static void failed(CallThreads share, Throwable failure) {
        try {
            LOG.error("{}: a call failed", share.name, failure);
        } catch (Throwable loggerFailed) {
            // Out of memory, say: the thread outlives its logger.
        }
    }
}
