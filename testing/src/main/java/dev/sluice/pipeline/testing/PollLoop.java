package dev.sluice.pipeline.testing;

import dev.sluice.linux.Errno;
import dev.sluice.linux.EventFd;
import dev.sluice.linux.Fd;
import dev.sluice.linux.Poll;
import dev.sluice.linux.PollSet;
import dev.sluice.pipeline.IoLoop;
import dev.sluice.pipeline.LoopCounters;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;
import reactor.core.scheduler.Scheduler;
import reactor.core.scheduler.Schedulers;

/**
 * A loop with a thread of its own on poll(2), for tests in modules that have no real one. Simple rather than fast.
 *
 * <p>poll(2) reports levels, {@link IoLoop#onReadable} promises edges: this loop reads a watched eventfd before it calls the
 * handler, so that many writes may become one call and every write becomes at least one. Other loops leave the counter alone; nothing
 * may depend on its value either way.
 *
 * <p><b>Threading:</b> as in {@link IoLoop}. <b>Ownership:</b> the wake-up descriptor is the loop's; the watched ones stay their
 * owners', who close the watch first. <b>Failure:</b> what is thrown into the loop is kept; {@link #close} throws where
 * {@link #takeFailures} has not been called for it.
 */
public final class PollLoop implements IoLoop {
    private static final int MAX_WATCHES = 1024;
    private static final long PATIENCE_SECONDS = Patience.seconds(30);
    private static final long NANOS_PER_MILLI = 1_000_000L;

    private static final class PolledWatch implements Watch {
        private final int fd;
        private final Runnable handler;
        private boolean closed;

        PolledWatch(int fd, Runnable handler) {
            this.fd = fd;
            this.handler = handler;
        }

        @Override
        public void close() {
            closed = true;
        }
    }

    private final Thread thread;
    private final Fd wakeUp;
    private final PollSet polled = new PollSet(MAX_WATCHES + 1);
    private final List<PolledWatch> watches = new ArrayList<>();
    private final List<Throwable> failures = new ArrayList<>();
    private final TickWork work = new TickWork(this::failed);
    private final Scheduler scheduler = Schedulers.fromExecutor(this);
    private final AtomicBoolean woken = new AtomicBoolean();

    private volatile boolean closing;
    private volatile boolean ended;
    private volatile long ticks;
    private volatile long enters;
    private volatile long fires;
    private long tickNanos = System.nanoTime();

    private PollLoop(String name) {
        int fd = EventFd.create(0, EventFd.EFD_CLOEXEC | EventFd.EFD_NONBLOCK);
        if (fd < 0) {
            throw new IllegalStateException("eventfd: " + Errno.describe(fd));
        }
        wakeUp = Fd.adopt(fd);
        thread = new Thread(this::loop, name);
        thread.setDaemon(true);
    }

    /** A loop on a new thread of that name. */
    public static PollLoop start(String name) {
        PollLoop loop = new PollLoop(name);
        loop.thread.start();
        return loop;
    }

    // ---- for tests

    /**
     * Runs something on the loop and waits for what it gives.
     *
     * @throws AssertionError after half a minute without a result, or with what the task threw as its cause
     */
    public <T extends @Nullable Object> T call(Callable<T> task) {
        CompletableFuture<T> done = new CompletableFuture<>();
        execute(() -> {
            try {
                done.complete(task.call());
            } catch (Throwable failure) {
                done.completeExceptionally(failure);
            }
        });
        try {
            return done.get(PATIENCE_SECONDS, TimeUnit.SECONDS);
        } catch (ExecutionException failure) {
            throw new AssertionError("a task failed on " + name(), failure.getCause());
        } catch (InterruptedException | TimeoutException failure) {
            throw new AssertionError("no result from " + name(), failure);
        }
    }

    /** {@link #call} without a value. */
    public void run(Runnable task) {
        this.<@Nullable Object>call(() -> {
            task.run();
            return null;
        });
    }

    /** What was thrown into the loop since the last call. */
    public List<Throwable> takeFailures() {
        synchronized (failures) {
            List<Throwable> taken = List.copyOf(failures);
            failures.clear();
            return taken;
        }
    }

    // ---- the thread

    private void loop() {
        while (!closing || work.pending(System.nanoTime())) {
            enter();
            runTick();
        }
        synchronized (wakeUp) {
            ended = true;
            wakeUp.close();
        }
        polled.close();
    }

    @SuppressWarnings("NonAtomicVolatileUpdate") // one writer, the loop
    private void runTick() {
        ticks++;
        tickNanos = System.nanoTime();
        for (int i = 0; i < watches.size() && i + 1 < polled.count(); i++) {
            PolledWatch watch = watches.get(i);
            if (polled.revents(i + 1) != 0 && !watch.closed) {
                readable(watch);
            }
        }
        watches.removeIf(watch -> watch.closed);
        work.run(tickNanos);
    }

    @SuppressWarnings("NonAtomicVolatileUpdate") // one writer, the loop
    private void readable(PolledWatch watch) {
        long counter = EventFd.drain(watch.fd);
        if (counter == -Errno.EAGAIN) {
            return;
        }
        if (counter < 0) {
            watch.close();
            failed(new IllegalStateException("descriptor " + watch.fd + " cannot be read as an eventfd: " + Errno.describe((int) counter)));
            return;
        }
        fires++;
        work.guarded(watch.handler);
    }

    @SuppressWarnings("NonAtomicVolatileUpdate") // one writer, the loop
    private void enter() {
        polled.clear();
        polled.add(wakeUp.number(), Poll.POLLIN);
        for (PolledWatch watch : watches) {
            polled.add(watch.fd, Poll.POLLIN);
        }
        // Ordered before the look at the mailbox: whoever posts after that look finds `woken` false and writes the eventfd.
        woken.set(false);
        int ready = polled.await(timeoutMillis());
        enters++;
        if (ready < 0 && ready != -Errno.EINTR) {
            failed(new IllegalStateException("poll: " + Errno.describe(ready)));
        }
        if (polled.revents(0) != 0) {
            long _ = EventFd.drain(wakeUp.number());
        }
    }

    private int timeoutMillis() {
        long now = System.nanoTime();
        if (closing || work.pending(now)) {
            return 0;
        }
        long due = work.nextDueNanos();
        return due == Long.MAX_VALUE ? -1 : (int) Math.min(Integer.MAX_VALUE, (due - now) / NANOS_PER_MILLI + 1);
    }

    private void failed(Throwable failure) {
        synchronized (failures) {
            failures.add(failure);
        }
    }

    // ---- the loop's contract

    @Override
    public String name() {
        return thread.getName();
    }

    @Override
    public boolean inLoop() {
        return Thread.currentThread() == thread;
    }

    @Override
    public void execute(Runnable task) {
        synchronized (wakeUp) {
            if (ended || (closing && !inLoop())) {
                throw new RejectedExecutionException(name() + " has ended");
            }
            work.post(task);
            wake();
        }
    }

    /** The lock keeps the descriptor open until this has written to it. */
    private void wake() {
        if (!inLoop() && woken.compareAndSet(false, true)) {
            int signalled = EventFd.signal(wakeUp.number());
            if (signalled < 0 && signalled != -Errno.EAGAIN) {
                throw new IllegalStateException("wake-up: " + Errno.describe(signalled));
            }
        }
    }

    @Override
    public void schedule(Runnable task, long delayNanos) {
        assertInLoop();
        work.schedule(task, System.nanoTime() + delayNanos);
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
        if (watches.size() == MAX_WATCHES) {
            throw new IllegalStateException(name() + " watches " + MAX_WATCHES + " descriptors already");
        }
        PolledWatch watch = new PolledWatch(fd, onReadable);
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
        return new LoopCounters(ticks, enters, 0, fires, work.tasks(), 0, thread.threadId());
    }

    /**
     * Ends the thread after what it has to do.
     *
     * @throws IllegalStateException where something was thrown into the loop and nobody took it
     */
    @Override
    public void close() {
        synchronized (wakeUp) {
            closing = true;
            if (!ended) {
                wake();
            }
        }
        if (inLoop()) {
            return;
        }
        try {
            if (!thread.join(Duration.ofSeconds(PATIENCE_SECONDS))) {
                throw new IllegalStateException(name() + " does not end");
            }
        } catch (InterruptedException interrupted) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException("interrupted while " + name() + " was ending", interrupted);
        }
        List<Throwable> overlooked = takeFailures();
        if (!overlooked.isEmpty()) {
            IllegalStateException failure = new IllegalStateException(overlooked.size() + " failures in " + name() + ", the first: " + overlooked.getFirst());
            overlooked.forEach(failure::addSuppressed);
            throw failure;
        }
    }
}
