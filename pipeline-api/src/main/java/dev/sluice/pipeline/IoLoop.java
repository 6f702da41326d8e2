package dev.sluice.pipeline;

import java.util.concurrent.Executor;
import reactor.core.scheduler.Scheduler;

/**
 * One thread that sees everything of the queues it serves: kicks, submissions, completions and calls.
 *
 * <p>A loop runs in ticks. A tick reaps completions, runs what other threads have put into the mailbox, gives each
 * queue that has work its turn, runs the tick-end hooks and then enters the kernel once, which submits the tick's batch
 * and, where nothing is left to do, waits.
 *
 * <p><b>Threading:</b> {@link #execute}, {@link #inLoop}, {@link #name}, {@link #kind}, {@link #scheduler}, {@link #counters} and
 * {@link #close} may be called from any thread; everything else only from the loop's own.
 * <b>Failure:</b> nothing that a task, turn or hook throws ends the loop; it is logged and the next one runs.
 * <b>Allocation:</b> turns, hooks and watches allocate nothing in steady state; {@link #execute} may.
 */
public interface IoLoop extends Executor, AutoCloseable {

    /** A queue's share of a tick. */
    @FunctionalInterface
    interface Turn {
        /** Does a bounded amount of work; true where more is left, so that the loop comes back in the next tick without waiting. */
        boolean run();
    }

    /** Something to be done once when the current tick ends. */
    @FunctionalInterface
    interface TickEndHook {
        void run();
    }

    /** A ring or something else that a loop which busy-polls visits, in place of being notified. */
    interface Poller {
        /** Looks for work, cheaply, and asks for a turn if there is some. True if the loop is to visit it no more. */
        boolean poll();

        /**
         * The loop is about to sleep: asks the other side for a notification of the next work. True if there is some already, for which a turn was asked; then
         * the loop does not sleep and is to visit it no more.
         */
        boolean armNotifications();

        /** The loop has slept and polls again: no notification is needed until {@link #armNotifications} asks for one. */
        void disarmNotifications();
    }

    /** Interest in a file descriptor. Closing it (loop thread only) ends the interest; the descriptor stays its owner's. */
    interface Watch extends AutoCloseable {
        /** Idempotent. The handler is not called any more once this returns; the kernel may still hold the file until the next tick. */
        @Override
        void close();
    }

    String name();

    /** Name of the {@link IoLoopProvider} that makes such loops, by which backends know what they run on; empty if there is none. */
    default String kind() {
        return "";
    }

    boolean inLoop();

    /**
     * Fails where the caller is not on this loop.
     *
     * @throws IllegalStateException when called on another thread: a bug of ours
     */
    default void assertInLoop() {
        if (!inLoop()) {
            throw new IllegalStateException("must run on " + name() + ", ran on " + Thread.currentThread().getName());
        }
    }

    /**
     * Runs a task on the loop's thread, in the order of calls of one thread, never inside the call itself.
     *
     * @throws java.util.concurrent.RejectedExecutionException when the loop has ended
     */
    @Override
    void execute(Runnable task);

    /** Runs a task on the loop's thread after a delay, give or take a tick. Loop thread only. */
    void schedule(Runnable task, long delayNanos);

    /**
     * Gives a turn in this tick, or in the next one when this tick's turns have begun. Asking again before the turn has run
     * changes nothing. The loop keeps the order of asking, so that no queue starves another.
     */
    void requestTurn(Turn turn);

    /**
     * Runs a hook once, when the current tick ends, after all turns and in the order of calls. The caller sees to it
     * that it asks once a tick. A hook may ask for others; they run in the same tick.
     */
    void atTickEnd(TickEndHook hook);

    /**
     * Calls {@code onReadable} whenever {@code fd} (an eventfd) has been written to. Edge triggered: the counter is not
     * read by the loop, several writes may give one call, one write gives at least one.
     */
    Watch onReadable(int fd, Runnable onReadable);

    /**
     * Whether this loop ever spins before it sleeps: then it takes {@linkplain #addPoller pollers}. A capability that any kind of loop can have; constant. Any
     * thread.
     */
    default boolean busyPolls() {
        return false;
    }

    /**
     * Has something visited in every tick from the next one on, until it says that it need not be. The caller sees to it that it is not there already. Loop
     * thread only.
     *
     * @return whether the loop {@linkplain #busyPolls busy-polls}; otherwise it visits nothing, and the caller asks for notifications itself
     */
    default boolean addPoller(Poller poller) {
        return false;
    }

    /** {@link System#nanoTime} as it was when this tick woke up: read once a tick and shared by its requests. */
    long tickNanos();

    /** The loop as a Reactor scheduler: work that it is given runs on the loop's thread through {@link #execute}. */
    Scheduler scheduler();

    LoopCounters counters();

    /**
     * Announces that other threads will bring so many more tasks with {@link #execute} for requests that are in flight; negative once they have run. A loop
     * that is closing takes and awaits them: {@link #close} returns after a limited time, but the loop does not end before the last of them has run, so that
     * none is lost. Loop thread only.
     */
    default void expectTasks(int more) {}

    /**
     * Has a task run on the loop's thread when it begins to close, before it awaits what it {@linkplain #expectTasks expects}: for a sink that has requests of
     * which no other thread knows yet. Loop thread only.
     *
     * @return what ends the interest when it is closed
     * @throws IllegalStateException if the loop is closing
     */
    default Watch onClose(Runnable task) {
        return () -> {};
    }

    /**
     * Ends the loop after the tasks already in the mailbox, and waits for its thread, but for no more than a limited time for {@linkplain #expectTasks tasks of
     * other threads}. From the loop itself it does not wait. Idempotent.
     */
    @Override
    void close();
}
