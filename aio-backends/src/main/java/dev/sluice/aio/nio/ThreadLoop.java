package dev.sluice.aio.nio;

import dev.sluice.pipeline.IoLoop;
import dev.sluice.pipeline.LoopCounters;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.PriorityQueue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.locks.LockSupport;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import reactor.core.scheduler.Scheduler;
import reactor.core.scheduler.Schedulers;

/**
 * A loop that needs nothing of the kernel: a thread that parks where it has nothing to do. It cannot watch descriptors, so it serves
 * {@code BlockDevice} and no guest.
 *
 * <p><b>Threading:</b> as {@link IoLoop} says. <b>Failure:</b> what is thrown into the loop is logged. <b>Allocation:</b> a queue node a task.
 */
final class ThreadLoop implements IoLoop {
    private static final Logger LOG = LoggerFactory.getLogger(ThreadLoop.class);
    private static final int MAX_TASKS_PER_TICK = 4096;
    /** How long a closing loop waits for requests on other threads. A disk that hangs for longer doesn't keep the process. */
    private static final long CLOSE_LIMIT_NANOS = 10_000_000_000L;

    /** Of a closing loop between two looks at that limit. */
    private static final long CLOSING_PAUSE_NANOS = 100_000_000L;

    private record Timer(long dueNanos, long order, Runnable task) {}

    /** Times of {@link System#nanoTime} compare by difference; equal ones run in the order of asking. */
    private static final Comparator<Timer> BY_TIME =
            (one, other) -> one.dueNanos == other.dueNanos ? Long.compare(one.order, other.order) : Long.signum(one.dueNanos - other.dueNanos);

    private final Thread thread;
    private final Scheduler scheduler = Schedulers.fromExecutor(this);
    private final ConcurrentLinkedQueue<Runnable> mailbox = new ConcurrentLinkedQueue<>();
    private final PriorityQueue<Timer> timers = new PriorityQueue<>(BY_TIME);
    private final ArrayDeque<Turn> turns = new ArrayDeque<>();
    private final ArrayDeque<TickEndHook> hooks = new ArrayDeque<>();
    private final List<Runnable> closeHooks = new ArrayList<>();
    /** Closers need not wait any longer. */
    private final CountDownLatch closersReleased = new CountDownLatch(1);

    /** Whether the thread is parked or about to be. It raises this, then looks at the mailbox; a poster fills the mailbox, then looks at this. */
    private volatile boolean waiting;

    /** Written by the loop alone. */
    private volatile int expectedTasks;

    private volatile boolean closing;
    private volatile long closeLimitNanos;
    private volatile boolean ended;
    private volatile long ticks;
    private volatile long tasks;
    private volatile long busyNanos;
    /** The loop outlives {@link #close}, as other threads have not brought what is expected of them. */
    private volatile boolean lingering;
    private boolean closeHooksRan;
    private long timersMade;
    private long tickNanos = System.nanoTime();

    private ThreadLoop(String name) {
        thread = Thread.ofPlatform().daemon().name(name).unstarted(this::run);
    }

    static ThreadLoop start(String name) {
        ThreadLoop loop = new ThreadLoop(name);
        loop.thread.start();
        return loop;
    }

    // ---- the loop's thread

    private void run() {
        while (!closing || !closeHooksRan || !mailbox.isEmpty() || !turns.isEmpty() || mustAwaitTasks()) {
            park();
            tick();
            runCloseHooks();
        }
        ended = true;
        // Pairs with execute: whoever has seen the loop alive has filled the mailbox before this looks.
        tick();
        closersReleased.countDown();
    }

    private void runCloseHooks() {
        if (closing && !closeHooksRan) {
            closeHooksRan = true;
            List.copyOf(closeHooks).forEach(this::guarded);
        }
    }

    private boolean mustAwaitTasks() {
        if (expectedTasks == 0) {
            return false;
        }
        if (System.nanoTime() - closeLimitNanos >= 0 && !lingering) {
            lingering = true;
            LOG.error("{}: {} requests did not come back from their threads in {} s; the loop ends when they do", name(), expectedTasks,
                    CLOSE_LIMIT_NANOS / 1_000_000_000L);
            closersReleased.countDown();
        }
        return true;
    }

    private void park() {
        waiting = true;
        if (mailbox.isEmpty() && turns.isEmpty() && (!closing || (closeHooksRan && expectedTasks > 0))) {
            Timer first = timers.peek();
            if (closing) {
                LockSupport.parkNanos(this, CLOSING_PAUSE_NANOS);
            } else if (first == null) {
                LockSupport.park(this);
            } else {
                LockSupport.parkNanos(this, Math.max(0, first.dueNanos - System.nanoTime()));
            }
        }
        waiting = false;
    }

    @SuppressWarnings("NonAtomicVolatileUpdate") // one writer, the loop
    private void tick() {
        tickNanos = System.nanoTime();
        ticks++;
        int left = MAX_TASKS_PER_TICK;
        for (Runnable task; left > 0 && (task = mailbox.poll()) != null; left--) {
            guarded(task);
        }
        tasks += MAX_TASKS_PER_TICK - left;
        long firstOfNextTick = timersMade;
        for (Timer first = timers.peek();
                first != null && first.dueNanos - tickNanos <= 0 && first.order < firstOfNextTick;
                first = timers.peek()) {
            timers.remove();
            guarded(first.task);
        }
        for (int i = turns.size(); i > 0; i--) {
            runTurn(turns.remove());
        }
        for (TickEndHook hook = hooks.poll(); hook != null; hook = hooks.poll()) {
            guarded(hook::run);
        }
        busyNanos += System.nanoTime() - tickNanos;
    }

    private void runTurn(Turn turn) {
        guarded(() -> {
            if (turn.run()) {
                requestTurn(turn);
            }
        });
    }

    private void guarded(Runnable work) {
        try {
            work.run();
        } catch (Throwable failure) {
            LOG.error("{}: a task failed; the loop continues", name(), failure);
        }
    }

    // ---- the loop's contract

    @Override
    public String name() {
        return thread.getName();
    }

    @Override
    public String kind() {
        return ThreadLoopProvider.NAME;
    }

    @Override
    public boolean inLoop() {
        return Thread.currentThread().equals(thread);
    }

    @Override
    public void execute(Runnable task) {
        if (ended || (closing && expectedTasks == 0 && !inLoop())) {
            throw new RejectedExecutionException(name() + " has ended");
        }
        mailbox.add(task);
        if (ended && mailbox.remove(task)) {
            throw new RejectedExecutionException(name() + " has ended");
        }
        if (waiting) {
            LockSupport.unpark(thread);
        }
    }

    @Override
    public void schedule(Runnable task, long delayNanos) {
        assertInLoop();
        timers.add(new Timer(System.nanoTime() + Math.max(0, delayNanos), timersMade++, task));
    }

    @Override
    public void requestTurn(Turn turn) {
        assertInLoop();
        if (!turns.contains(turn)) {
            turns.add(turn);
        }
    }

    @Override
    public void atTickEnd(TickEndHook hook) {
        assertInLoop();
        hooks.add(hook);
    }

    @Override
    public Watch onReadable(int fd, Runnable onReadable) {
        throw new UnsupportedOperationException("a thread loop cannot watch descriptors; it serves BlockDevice only: choose another loop");
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
        return new LoopCounters(ticks, 0, 0, 0, tasks, busyNanos, thread.threadId());
    }

    @Override
    @SuppressWarnings("NonAtomicVolatileUpdate") // one writer, the loop
    public void expectTasks(int more) {
        assertInLoop();
        expectedTasks += more;
    }

    @Override
    public Watch onClose(Runnable task) {
        assertInLoop();
        if (closeHooksRan) {
            throw new IllegalStateException(name() + " is closing");
        }
        closeHooks.add(task);
        return () -> closeHooks.remove(task);
    }

    @Override
    public void close() {
        closeLimitNanos = System.nanoTime() + CLOSE_LIMIT_NANOS;
        closing = true;
        LockSupport.unpark(thread);
        boolean interrupted = false;
        while (!inLoop() && thread.isAlive() && !lingering) {
            try {
                closersReleased.await();
                if (!lingering) {
                    thread.join();
                }
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }
}
