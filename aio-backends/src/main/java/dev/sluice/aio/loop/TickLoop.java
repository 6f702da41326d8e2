package dev.sluice.aio.loop;

import dev.sluice.linux.NativeMemory;
import dev.sluice.pipeline.Backoff;
import dev.sluice.pipeline.IoLoop;
import dev.sluice.pipeline.LoopCounters;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Function;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;
import reactor.core.scheduler.Scheduler;
import reactor.core.scheduler.Schedulers;

/**
 * A loop on a platform thread of its own; how it waits in the kernel is its kind's.
 *
 * <p>A tick, in order:
 * <ol>
 *   <li>the kernel is entered ({@link #enterKernel}): that submits what the tick before has queued and waits only where nothing else is to be done
 *   <li>completions, noted while the kernel's queues are walked, acted on afterwards ({@link LoopHandle})
 *   <li>tasks of other threads
 *   <li>timers that are due
 *   <li>{@linkplain #addPoller pollers}, if the loop busy-polls
 *   <li>turns, each once
 *   <li>tick-end hooks, until none is left
 * </ol>
 *
 * <p><b>Threading:</b> as {@link IoLoop} says; what is protected belongs to the loop's thread unless it says otherwise. <b>Ownership:</b> whoever starts a
 * loop closes it, after the sinks and watches on it; the loop waits for requests that are still in the kernel, as their memory must not be freed
 * before. <b>Failure:</b> once started nothing ends the loop but {@link #close}. <b>Allocation:</b> none of its own per tick in steady state.
 */
public abstract class TickLoop implements IoLoop {
    private static final int MAX_TASKS_PER_TICK = 4096;

    private final String name;
    private final LongSupplier clock;
    private final Thread thread;
    private final Mailbox mailbox;
    private final Scheduler scheduler;
    private final FailureLog failureLog;
    private final Timers timers = new Timers();
    private final TurnList turns = new TurnList();
    private final TickEndHooks hooks = new TickEndHooks();
    private final LoopHandles handles = new LoopHandles();
    private final PollList polls = new PollList();
    /** The window's, which is the same for all of the loop's life. */
    private final boolean busyPolls;
    private final PollWindow window;
    private final LoopWait wait;
    private final KernelSkip skip;
    private final LoopCounts counts;
    private final CompletableFuture<@Nullable Void> started = new CompletableFuture<>();
    private final LoopClosing closing;

    private final Backoff enterBackoff = new Backoff();
    private long tickNanos;

    /**
     * A loop that has not started.
     *
     * @param pollMaxNanos how long it spins at most before it sleeps, 0 for not at all
     */
    protected TickLoop(String name, boolean daemon, long pollMaxNanos) {
        this(name, pollMaxNanos, System::nanoTime, loop -> Thread.ofPlatform().name(name).daemon(daemon).unstarted(loop::runThread));
    }

    /** A loop for a simulation: its thread is the one that makes it and calls {@link #runOneTick}, and its time is the simulation's. */
    protected TickLoop(String name, long pollMaxNanos, LongSupplier clock) {
        this(name, pollMaxNanos, clock, _ -> Thread.currentThread());
    }

    @SuppressWarnings("this-escape") // Nobody calls back before startThread.
    private TickLoop(String name, long pollMaxNanos, LongSupplier clock, Function<TickLoop, Thread> thread) {
        this.name = name;
        this.clock = clock;
        this.tickNanos = clock.getAsLong();
        this.mailbox = new Mailbox(name, this::wakeUp);
        this.window = new PollWindow(pollMaxNanos);
        this.busyPolls = window.enabled();
        this.wait = new LoopWait(this, clock, turns, timers, mailbox, window, polls, handles);
        this.skip = new KernelSkip(this, clock, turns, mailbox, window, polls, wait);
        this.failureLog = new FailureLog(name);
        this.scheduler = Schedulers.fromExecutor(this);
        this.thread = thread.apply(this);
        this.closing = new LoopClosing(name, this.thread, clock);
        this.counts = new LoopCounts(this.thread.threadId());
    }

    /** Starts the thread. From the starter's thread; returns what {@link #openKernel} threw, in which case the thread has ended, or null. */
    protected final @Nullable Throwable startThread() {
        thread.start();
        try {
            started.join();
            return null;
        } catch (CompletionException failed) {
            return failed.getCause();
        }
    }

    // ---- what a kind of loop does

    /** Opens what the loop waits with. Called first, and only this where it throws. */
    protected abstract void openKernel() throws Exception;

    /** Whether something was queued that the next {@link #enterKernel} would submit. A kind of loop that always says yes enters in every tick. */
    protected boolean submissionsWait() {
        return true;
    }

    /** Enters the kernel once, waits where {@code wait} allows it, calls {@link LoopWait#over} afterwards, notes completions. */
    protected abstract void enterKernel(LoopWait wait) throws Exception;

    /** Ends a wait in {@link #enterKernel}, now or the next. Any thread, even before the kernel is open and after it is closed. */
    protected abstract void wakeUp();

    /** Closes what {@link #openKernel} opened. Called last. */
    protected abstract void closeKernel();

    // ---- IoLoop

    @Override
    public final String name() {
        return name;
    }

    @Override
    public final boolean inLoop() {
        return runsOn(Thread.currentThread());
    }

    protected final boolean runsOn(Thread asked) {
        return asked.equals(thread);
    }

    @Override
    public final void execute(Runnable task) {
        mailbox.post(task);
    }

    @Override
    public final void schedule(Runnable task, long delayNanos) {
        LoopTimer _ = startTimer(task, delayNanos);
    }

    @Override
    public final void requestTurn(Turn turn) {
        assertInLoop();
        turns.ask(turn);
    }

    @Override
    public final void atTickEnd(TickEndHook hook) {
        assertInLoop();
        hooks.add(hook);
    }

    @Override
    public final boolean busyPolls() {
        return busyPolls;
    }

    @Override
    public boolean addPoller(Poller poller) {
        assertInLoop();
        if (!busyPolls) {
            return false;
        }
        polls.add(poller);
        return true;
    }

    @Override
    public final void expectTasks(int more) {
        closing.expectTasks(more);
    }

    @Override
    public final Watch onClose(Runnable task) {
        assertInLoop();
        CloseHook hook = new CloseHook(this, task);
        add(hook);
        return hook;
    }

    @Override
    public final long tickNanos() {
        return tickNanos;
    }

    @Override
    public final Scheduler scheduler() {
        return scheduler;
    }

    @Override
    public final LoopCounters counters() {
        return counts.snapshot();
    }

    @Override
    public final void close() {
        try {
            mailbox.post(this::beginClose);
        } catch (RejectedExecutionException alreadyClosed) {
            // Still wait below: another closer may be ahead of the thread's end.
        }
        if (!inLoop()) {
            closing.await();
        }
    }

    // ---- the loop's thread

    private void runThread() {
        try {
            openKernel();
        } catch (Throwable refused) {
            mailbox.close();
            started.completeExceptionally(refused);
            closing.ended();
            return;
        }
        counts.begun(clock.getAsLong());
        started.complete(null);
        while (runOneTick()) {
            // as long as it lives
        }
    }

    /** Runs a tick; false when the loop has ended instead. The loop's thread calls it, or the simulation that drives the loop. */
    protected final boolean runOneTick() {
        if (mayEnd()) {
            end();
            return false;
        }
        guardedTick();
        return true;
    }

    private void guardedTick() {
        try {
            tick();
        } catch (Throwable bug) {
            failed("a tick", bug);
        }
    }

    private void tick() {
        boolean entered = enter();
        tickNanos = clock.getAsLong();
        counts.awake(entered ? wait.leftNanos(tickNanos) : tickNanos, tickNanos);
        boolean worked = handles.drain(this);
        int tasks = mailbox.runAll(this, MAX_TASKS_PER_TICK);
        counts.tasks += tasks;
        if (!timers.isEmpty()) {
            timers.runDue(this, tickNanos);
        }
        if (busyPolls) {
            polls.poll(this);
            if (worked || tasks > 0 || !turns.isEmpty()) {
                window.worked(tickNanos);
            }
        }
        turns.runAll(this);
        hooks.runAll(this);
        counts.tickEnded();
    }

    /**
     * Enters the kernel, but for ticks that would neither submit anything nor hear of anything but kicks: some of them leave it out. Kicks are then heard
     * of by the next that doesn't.
     */
    private boolean enter() {
        if (!mustEnter() && skip.maySkip()) {
            return false;
        }
        try {
            enterKernel(wait);
            skip.entered();
            enterBackoff.reset();
        } catch (Throwable failure) {
            failed("entering the kernel", failure);
            LockSupport.parkNanos(enterBackoff.nextPauseNanos());
        }
        return true;
    }

    private boolean mustEnter() {
        return closing.begun() || submissionsWait() || handles.anyAwaitsKernel() || handles.anyAwaitsDrain();
    }

    // ---- ending

    private void beginClose() {
        if (closing.begin()) {
            schedule(() -> {}, LoopClosing.LIMIT_NANOS);
            handles.loopEnding(this);
        }
    }

    private boolean mayEnd() {
        return closing.begun() && closing.mayEnd(handles);
    }

    private void end() {
        mailbox.close();
        counts.tasks += mailbox.runAll(this, Integer.MAX_VALUE);
        hooks.runAll(this);
        runGuarded("closing the loop", this::closeKernel);
        counts.tickEnded();
        closing.ended();
    }

    // ---- for handles on this loop

    /** True while {@link LoopHandle#drain} is called. */
    protected final boolean drainsHandles() {
        return handles.draining();
    }

    /** Takes a sink or watch on. */
    public final void add(LoopHandle handle) {
        if (closing.begun()) {
            throw new IllegalStateException(name + " is closing");
        }
        handles.add(handle);
    }

    public final void remove(LoopHandle handle) {
        handles.remove(handle);
    }

    /** As {@link #schedule}, of a timer that {@link #cancelTimer} can take back. */
    public final LoopTimer startTimer(Runnable task, long delayNanos) {
        assertInLoop();
        return timers.add(task, clock.getAsLong() + Math.max(0, delayNanos));
    }

    /** Has no effect on a timer that has run. */
    public final void cancelTimer(LoopTimer timer) {
        assertInLoop();
        timers.remove(timer);
    }

    /** An operation goes to the kernel with others. */
    public final void submissionAdded() {
        counts.submissions++;
    }

    /** A completion was noted for this handle, whose {@link LoopHandle#drain} comes in this tick. */
    public final void completionSeen(LoopHandle handle) {
        counts.completions++;
        handles.awaitDrain(handle);
    }

    /** So many completions came, which somebody acts on without {@link LoopHandle#drain}. */
    public final void completionsSeen(int many) {
        counts.completions += many;
    }

    /** An operation went to the kernel by a system call of its own, and is done. */
    public final void calledDirectly() {
        counts.submissions++;
        counts.completions++;
        counts.enters++;
    }

    /** System calls that submitted, waited or fetched completions. */
    public final void entered(int times) {
        counts.enters += times;
    }

    /** Logs what something on this loop has thrown; rarely enough to be called for everything. */
    public final void failed(String what, Throwable failure) {
        failureLog.log(what, failure);
    }

    /** Runs a task; what it throws is logged. */
    public final void runGuarded(String what, Runnable task) {
        try {
            task.run();
            // A fault in shared memory is thrown late (see NativeMemory): here, where it is this task's.
            NativeMemory.surfaceFault();
        } catch (Throwable failure) {
            failed(what, failure);
        }
    }
}
