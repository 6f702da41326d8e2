package dev.sluice.pipeline.testing;

import dev.sluice.pipeline.IoLoop;
import dev.sluice.pipeline.LoopCounters;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.RejectedExecutionException;
import reactor.core.scheduler.Scheduler;
import reactor.core.scheduler.Schedulers;

/**
 * A loop that a test drives by hand, tick by tick, under a fake clock. Nothing happens between two calls of
 * {@link #tick}, so that every interleaving a test wants is a sequence of statements.
 *
 * <p><b>Threading:</b> the loop's thread is the one that made it; {@link #execute} works from any.
 * <b>Failure:</b> what a task, turn, hook or watch throws ends neither the tick nor the test at once; it is kept, and
 * {@link #close} throws where {@link #takeFailures} has not been called for it. No failure is overlooked.
 * <b>Allocation:</b> none in a tick without tasks.
 */
public final class ManualLoop implements IoLoop {
    /** Ticks after which {@link #tickUntilIdle} takes the loop for one that never gets idle. */
    private static final int MAX_TICKS = 100_000;

    private static final long FIRST_NANOS = 1_000_000_000L;

    private static final class HandWatch implements Watch {
        private final int fd;
        private final Runnable handler;
        private boolean fired;
        private boolean closed;

        HandWatch(int fd, Runnable handler) {
            this.fd = fd;
            this.handler = handler;
        }

        @Override
        public void close() {
            closed = true;
        }
    }

    private final String name;
    private final Thread thread = Thread.currentThread();
    private final List<Throwable> failures = new ArrayList<>();
    private final TickWork work = new TickWork(failures::add);
    private final List<HandWatch> watches = new ArrayList<>();
    private final Scheduler scheduler = Schedulers.fromExecutor(this);

    private long clockNanos = FIRST_NANOS;
    private long tickNanos = FIRST_NANOS;
    private long ticks;
    private long fires;
    private volatile boolean closed;

    public ManualLoop(String name) {
        this.name = name;
    }

    public ManualLoop() {
        this("manual-loop");
    }

    // ---- what the test drives

    /** One tick: watches fired since the last one, mailbox, due timers, turns, tick-end hooks. */
    public void tick() {
        assertInLoop();
        ticks++;
        tickNanos = clockNanos;
        for (int i = 0; i < watches.size(); i++) {
            HandWatch watch = watches.get(i);
            if (watch.fired && !watch.closed) {
                watch.fired = false;
                fires++;
                work.guarded(watch.handler);
            }
        }
        watches.removeIf(watch -> watch.closed);
        work.run(tickNanos);
    }

    /**
     * Ticks until there is nothing to do at the present time of the clock. Returns the number of ticks.
     *
     * @throws AssertionError where that takes a hundred thousand of them: something keeps the loop spinning
     */
    public int tickUntilIdle() {
        int done = 0;
        while (work.pending(clockNanos) || anyFired()) {
            if (done++ == MAX_TICKS) {
                throw new AssertionError(name + " does not get idle");
            }
            tick();
        }
        return done;
    }

    /** Moves the clock; the next tick sees it. */
    public void advanceNanos(long nanos) {
        clockNanos += nanos;
    }

    /** As if {@code fd} had been written to: its watch is called in the next tick. */
    public void fire(int fd) {
        boolean known = false;
        for (HandWatch watch : watches) {
            if (watch.fd == fd && !watch.closed) {
                watch.fired = true;
                known = true;
            }
        }
        if (!known) {
            throw new IllegalArgumentException("nobody watches descriptor " + fd);
        }
    }

    /** Whether somebody watches the descriptor. */
    public boolean watches(int fd) {
        return watches.stream().anyMatch(watch -> watch.fd == fd && !watch.closed);
    }

    /** What was thrown into the loop since the last call. */
    public List<Throwable> takeFailures() {
        List<Throwable> taken = List.copyOf(failures);
        failures.clear();
        return taken;
    }

    private boolean anyFired() {
        return watches.stream().anyMatch(watch -> watch.fired && !watch.closed);
    }

    // ---- the loop

    @Override
    public String name() {
        return name;
    }

    @Override
    public boolean inLoop() {
        return Thread.currentThread() == thread;
    }

    @Override
    public void execute(Runnable task) {
        if (closed) {
            throw new RejectedExecutionException(name + " has ended");
        }
        work.post(task);
    }

    @Override
    public void schedule(Runnable task, long delayNanos) {
        assertInLoop();
        work.schedule(task, clockNanos + delayNanos);
    }

    @Override
    public void requestTurn(Turn turn) {
        assertInLoop();
        work.requestTurn(turn);
    }

    @Override
    public void atTickEnd(TickEndHook hook) {
        assertInLoop();
        work.atTickEnd(hook);
    }

    @Override
    public Watch onReadable(int fd, Runnable onReadable) {
        assertInLoop();
        HandWatch watch = new HandWatch(fd, onReadable);
        watches.add(watch);
        return watch;
    }

    @Override
    public long tickNanos() {
        return tickNanos;
    }

    @Override
    public Scheduler scheduler() {
        return scheduler;
    }

    @Override
    public LoopCounters counters() {
        return new LoopCounters(ticks, ticks, 0, fires, work.tasks(), 0, thread.threadId());
    }

    /**
     * Runs what is left to do, then refuses tasks.
     *
     * @throws IllegalStateException where something was thrown into the loop and nobody took it; the failures are suppressed in it
     */
    @Override
    public void close() {
        if (closed) {
            return;
        }
        tickUntilIdle();
        closed = true;
        if (!failures.isEmpty()) {
            IllegalStateException overlooked = new IllegalStateException(failures.size() + " failures in " + name + ", the first: " + failures.getFirst());
            failures.forEach(overlooked::addSuppressed);
            throw overlooked;
        }
    }
}
