package dev.sluice.aio.uring;

import dev.sluice.linux.NativeMemory;
import dev.sluice.pipeline.IoLoop;
import dev.sluice.pipeline.LoopCounters;
import io.netty.channel.IoHandler;
import io.netty.channel.IoRegistration;
import io.netty.channel.uring.IoUringIoHandle;
import io.netty.channel.uring.IoUringIoHandler;
import io.netty.channel.uring.IoUringIoHandlerConfig;
import io.netty.util.concurrent.ThreadAwareExecutor;
import java.io.IOException;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import reactor.core.scheduler.Scheduler;
import reactor.core.scheduler.Schedulers;

/**
 * A loop on one io_uring: a platform thread of its own that drives Netty's ring handler.
 *
 * <p>A tick, in order:
 * <ol>
 *   <li>one io_uring_enter: it submits what the tick before has queued and waits only where nothing else is to be done
 *   <li>completions, collected while Netty walks its queue, acted on afterwards ({@link RingHandle})
 *   <li>tasks of other threads
 *   <li>timers that are due
 *   <li>turns, each once
 *   <li>tick-end hooks, until none is left
 * </ol>
 *
 * <p><b>Threading:</b> as {@link IoLoop} says. <b>Ownership:</b> whoever starts a loop closes it, after the sinks and watches on it; the
 * loop waits for requests that are still in the kernel, as their memory must not be freed before. <b>Failure:</b> {@link #start} throws
 * where there can be no ring; after that nothing ends the loop but {@link #close}. <b>Allocation:</b> none of its own per tick in steady state.
 */
public final class IoUringLoop implements IoLoop {
    private static final Logger LOG = LoggerFactory.getLogger(IoUringLoop.class);
    private static final int MAX_TASKS_PER_TICK = 4096;
    private static final long ENTER_FAILED_PAUSE_NANOS = 1_000_000;
    /** How long a closing loop waits for its requests in the kernel. A disk that hangs for longer doesn't keep the process. */
    private static final long CLOSE_LIMIT_NANOS = 10_000_000_000L;

    private final String name;
    private final IoUringLoopOptions options;
    private final Thread thread;
    private final Mailbox mailbox;
    private final Scheduler scheduler;
    private final FailureLog failureLog;
    private final Timers timers = new Timers();
    private final TurnList turns = new TurnList();
    private final TickEndHooks hooks = new TickEndHooks();
    private final RingHandles handles = new RingHandles();
    private final KernelWait wait;
    private final LoopCounts counts;
    private final CompletableFuture<@Nullable Void> started = new CompletableFuture<>();

    private volatile @Nullable IoHandler handler;
    private long tickNanos = System.nanoTime();
    private boolean closing;
    private long closeLimitNanos;

    private IoUringLoop(String name, IoUringLoopOptions options) {
        this.name = name;
        this.options = options;
        this.mailbox = new Mailbox(name, this::wakeUp);
        this.wait = new KernelWait(turns, timers, mailbox);
        this.failureLog = new FailureLog(name);
        this.scheduler = Schedulers.fromExecutor(this);
        this.thread = Thread.ofPlatform().name(name).daemon(options.daemon()).unstarted(this::runThread);
        this.counts = new LoopCounts(thread.threadId(), options.submissionEntries());
    }

    /**
     * Starts a loop.
     *
     * @param name of the loop and its thread
     * @throws IOException with one line that says why there can be no ring, and what to do
     */
    public static IoUringLoop start(String name, IoUringLoopOptions options) throws IOException {
        Optional<String> unavailable = unavailable();
        if (unavailable.isPresent()) {
            throw new IOException(unavailable.get());
        }
        IoUringLoop loop = new IoUringLoop(name, options);
        loop.thread.start();
        try {
            loop.started.join();
        } catch (RuntimeException failed) {
            throw new IOException(IoUringAvailability.explain(failed.getCause(), null), failed);
        }
        return loop;
    }

    /** Why there can be no loop of this kind on this machine, in one line with advice; empty where there can. */
    public static Optional<String> unavailable() {
        return IoUringAvailability.reason();
    }

    @Override
    public String name() {
        return name;
    }

    @Override
    public String kind() {
        return IoUringBackendProvider.NAME;
    }

    @Override
    public boolean inLoop() {
        return Thread.currentThread().equals(thread);
    }

    @Override
    public void execute(Runnable task) {
        mailbox.post(task);
    }

    @Override
    public void schedule(Runnable task, long delayNanos) {
        assertInLoop();
        timers.add(task, System.nanoTime() + Math.max(0, delayNanos));
    }

    @Override
    public void requestTurn(Turn turn) {
        assertInLoop();
        turns.ask(turn);
    }

    @Override
    public void atTickEnd(TickEndHook hook) {
        assertInLoop();
        hooks.add(hook);
    }

    @Override
    public Watch onReadable(int fd, Runnable onReadable) {
        assertInLoop();
        EventFdWatch watch = new EventFdWatch(this, fd, onReadable);
        watch.register();
        watch.arm();
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
        return counts.snapshot();
    }

    @Override
    public void close() {
        try {
            mailbox.post(this::beginClose);
        } catch (RejectedExecutionException alreadyClosed) {
            // Still wait below: another closer may be ahead of the thread's end.
        }
        if (!inLoop()) {
            joinThread();
        }
    }

    private void joinThread() {
        boolean interrupted = false;
        while (thread.isAlive()) {
            try {
                thread.join();
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    // ---- the loop's thread

    private void runThread() {
        IoHandler ring;
        try {
            IoUringIoHandlerConfig config =
                    new IoUringIoHandlerConfig().setRingSize(options.submissionEntries()).setCqSize(options.completionEntries());
            ring = IoUringIoHandler.newFactory(config).newHandler(new OwnThread());
            ring.initialize();
            handler = ring;
        } catch (Throwable noRing) {
            mailbox.close();
            started.completeExceptionally(noRing);
            return;
        }
        counts.begun(System.nanoTime());
        started.complete(null);
        while (!mayEnd()) {
            guardedTick(ring);
        }
        end(ring);
    }

    private void guardedTick(IoHandler ring) {
        try {
            tick(ring);
        } catch (Throwable bug) {
            failed("a tick", bug);
        }
    }

    private void tick(IoHandler ring) {
        boolean waited = enter(ring);
        tickNanos = System.nanoTime();
        counts.awake(waited ? wait.leftNanos() : tickNanos, tickNanos);
        handles.drain(this);
        counts.tasks += mailbox.runAll(this, MAX_TASKS_PER_TICK);
        if (!timers.isEmpty()) {
            timers.runDue(this, tickNanos);
        }
        turns.runAll(this);
        hooks.runAll(this);
        counts.tickEnded();
    }

    /** True where the loop had leave to wait. */
    private boolean enter(IoHandler ring) {
        counts.entering();
        int handled = 0;
        try {
            handled = ring.run(wait);
        } catch (Throwable failure) {
            failed("entering the kernel", failure);
            LockSupport.parkNanos(ENTER_FAILED_PAUSE_NANOS);
        }
        boolean waited = wait.over();
        counts.entered(handled, waited);
        return waited;
    }

    // ---- ending

    private void beginClose() {
        if (closing) {
            return;
        }
        closing = true;
        closeLimitNanos = System.nanoTime() + CLOSE_LIMIT_NANOS;
        schedule(() -> {}, CLOSE_LIMIT_NANOS);
        handles.loopEnding(this);
    }

    private boolean mayEnd() {
        if (!closing) {
            return false;
        }
        if (!handles.anyBusy()) {
            return true;
        }
        boolean late = System.nanoTime() - closeLimitNanos >= 0;
        if (late) {
            LOG.error("{}: requests did not come back from the kernel in {} s; closing the ring without them", name, CLOSE_LIMIT_NANOS / 1_000_000_000L);
        }
        return late;
    }

    private void end(IoHandler ring) {
        mailbox.close();
        counts.tasks += mailbox.runAll(this, Integer.MAX_VALUE);
        hooks.runAll(this);
        // Without Netty's prepareToDestroy, which closes handles (ours have ended) and drains the ring: what is submitted behind a
        // drain goes to a worker thread, Netty's wake-up read too, and destroy frees the read's buffer before that thread is done with it.
        runGuarded("closing the ring", ring::destroy);
        counts.tickEnded();
    }

    // ---- for handles on this loop

    IoRegistration register(RingHandle handle, IoUringIoHandle entry) {
        IoHandler ring = handler;
        if (ring == null || closing) {
            throw new IllegalStateException(name + (closing ? " is closing" : " has not started"));
        }
        try {
            IoRegistration registration = ring.register(entry);
            handles.add(handle);
            return registration;
        } catch (Exception refused) {
            throw new IllegalStateException(name + " takes no more: " + refused.getMessage(), refused);
        }
    }

    void forget(RingHandle handle) {
        handles.remove(handle);
    }

    void submissionAdded() {
        counts.submissionAdded();
    }

    /** An operation went to the kernel by a system call of its own. */
    void calledDirectly() {
        counts.calledDirectly();
    }

    void completionSeen(RingHandle handle) {
        counts.completionSeen();
        handles.awaitDrain(handle);
    }

    void failed(String what, Throwable failure) {
        failureLog.log(what, failure);
    }

    void runGuarded(String what, Runnable task) {
        try {
            task.run();
            // A fault in shared memory is thrown late (see NativeMemory): here, where it is this task's.
            NativeMemory.surfaceFault();
        } catch (Throwable failure) {
            failed(what, failure);
        }
    }

    private void wakeUp() {
        IoHandler ring = handler;
        if (ring != null) {
            ring.wakeup();
        }
    }

    /** What Netty wants to know of its thread. */
    private final class OwnThread implements ThreadAwareExecutor {
        @Override
        public boolean isExecutorThread(Thread asked) {
            return asked.equals(thread);
        }

        @Override
        public void execute(Runnable task) {
            IoUringLoop.this.execute(task);
        }
    }
}
