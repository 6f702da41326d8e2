package dev.sluice.aio.threads;

import java.io.IOException;
import java.util.concurrent.ThreadFactory;
import java.util.function.LongSupplier;

/**
 * A few threads for calls that block, of its own or shared with others. The first is there from the start and stays, so that nothing depends on a thread that
 * could be refused later (pids.max, TasksMax, RLIMIT_NPROC); further ones are started when calls queue up and terminate after {@value Workers#IDLE_SECONDS} s
 * without work. A further one that cannot be started is left out: the threads that exist do its calls, and {@link ThreadShortage} asks again.
 *
 * <p>The queue is bounded by the slots of the sinks, each of which has at most one call in it.
 *
 * <p><b>Threading:</b> any. <b>Ownership:</b> the backend's. <b>Failure:</b> {@link #start} and {@link #shared} throw if not even one thread can be had; {@link
 * #run} returns false only without any thread. <b>Allocation:</b> none per call but the caller's task.
 */
public final class CallThreads {
    private static final Workers SHARED =
            new Workers("sluice-image-calls-", true, Thread.ofPlatform().daemon().name("sluice-image-calls-", 0).factory(), System::nanoTime);

    private final Workers workers;

    /** The rest is the workers', under their lock. */
    final String name;
    final int most;
    final Ring<Runnable> queue = new Ring<>();
    /** Calls in the queue that a thread may take now. */
    int ready;
    int running;
    boolean closed;

    private CallThreads(Workers workers, String name, int most) {
        this.workers = workers;
        this.name = name;
        this.most = most;
    }

    /**
     * Threads of which none exists yet.
     *
     * @param most how many there are at most
     */
    public CallThreads(String name, int most, ThreadFactory factory) {
        this(name, most, factory, System::nanoTime);
    }

    CallThreads(String name, int most, ThreadFactory factory, LongSupplier clock) {
        this(new Workers(name, false, factory, clock), name, most);
        workers.open(this);
    }

    /**
     * Threads of which the first runs, for these calls alone.
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

    /**
     * A share of the threads that all images of this process have in common (docs/decisions/020-threads-are-shared.md). Calls of several take turns, and there
     * is an idle thread while others wait for a file system, unless it was refused.
     *
     * @param name for the log
     * @param most calls of this share that are made at once
     * @throws IOException with one line if there is no thread and none can be started
     */
    public static CallThreads shared(String name, int most) throws IOException {
        return share(SHARED, name, most);
    }

    static CallThreads share(Workers workers, String name, int most) throws IOException {
        CallThreads share = new CallThreads(workers, name, most);
        workers.open(share);
        try {
            share.startFirst();
        } catch (Throwable refused) {
            share.close();
            throw refused;
        }
        return share;
    }

    void startFirst() throws IOException {
        workers.startFirst();
    }

    /**
     * Has a call made by one of the threads, in the order of asking.
     *
     * @return false if there is no thread and none can be started: nothing has happened then, nor if it throws for want of memory
     */
    public boolean run(Runnable call) {
        return workers.run(this, call);
    }

    /** Whether calls wait, of this share or of others, for threads that were refused: somebody is to {@link #retry} then. */
    boolean lacking() {
        return workers.lacking();
    }

    /** Asks for the threads that calls wait for, unless one was refused just before. Returns whether there are still too few. */
    boolean retry() {
        return workers.retry();
    }

    /** What was handed over before is still done. */
    public void close() {
        workers.close(this);
    }
}
