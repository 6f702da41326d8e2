package dev.sluice.examples.cli;

import dev.sluice.linux.LinuxUnavailableException;
import dev.sluice.linux.SignalPipe;
import java.io.IOException;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;
import org.slf4j.LoggerFactory;

/**
 * What is to be closed on SIGTERM and SIGINT: whatever was acknowledged is on its way to the disk; finish it and leave with 0.
 *
 * <pre>
 * try (DiskHost host = DiskHost.start(loops, sockets);
 *         Termination _ = Termination.closes(host)) { ... }
 * </pre>
 *
 * <p>The threads that close exist from the start: at a limit of tasks none could be had when the signal comes.
 *
 * <p><b>Threading:</b> any thread; on a signal, or when the JVM is told to exit, a thread of its own closes, and ends the process. <b>Failure:</b> where closing
 * fails, or takes longer than the patience allows, the process ends with 1.
 */
public final class Termination implements AutoCloseable {
    /** What closing may take beyond the patience, and after a second signal. */
    private static final Duration GRACE = Duration.ofSeconds(5);

    /** How long closing may take. */
    public interface Patience {
        /** Asked when the signal comes: how long closing may take before the process ends without it. A little more is given for what follows. */
        Duration limit();

        /** A second signal: closing is to take no longer than it must. Called once, while the other thread closes. */
        void cutShort();
    }

    private enum State {
        WAITING,
        ASKED,
        TAKEN_BACK
    }

    private final AtomicReference<State> state = new AtomicReference<>(State.WAITING);
    private final CountDownLatch decided = new CountDownLatch(1);
    /** A permit when closing is over, and for each further signal. */
    private final Semaphore news = new Semaphore(0);
    private final CompletableFuture<Integer> closedWith = new CompletableFuture<>();
    private final Runnable signalled = this::signalled;
    private final AutoCloseable closed;
    private final @Nullable Patience patience;
    private final Thread closing;
    private final Thread ending;
    private final Thread hook;

    private Termination(AutoCloseable closed, @Nullable Patience patience) {
        this.closed = closed;
        this.patience = patience;
        closing = Thread.ofPlatform().daemon().name("sluice-closing").unstarted(this::awaitAndClose);
        ending = Thread.ofPlatform().daemon().name("sluice-termination").unstarted(this::awaitAndEnd);
        hook = Thread.ofPlatform().name("sluice-exit").unstarted(this::askAndWait);
    }

    /** From now on a signal closes this. Say it before the first front end can connect: it may have requests in flight. */
    public static Termination closes(AutoCloseable closed) {
        return begin(new Termination(closed, null));
    }

    /** {@link #closes(AutoCloseable)}, for at most so long: then the process ends with 1 whatever is still open. A second SIGTERM or SIGINT cuts that short. */
    public static Termination closes(AutoCloseable closed, Patience patience) {
        return begin(new Termination(closed, patience));
    }

    private static Termination begin(Termination termination) {
        termination.closing.start();
        termination.ending.start();
        Runtime.getRuntime().addShutdownHook(termination.hook);
        try {
            boolean _ = Signals.handle(SignalPipe.SIGTERM, termination.signalled);
            boolean _ = Signals.handle(SignalPipe.SIGINT, termination.signalled);
        } catch (IOException | LinuxUnavailableException unheard) {
            // The JVM's own handler runs the hook.
            LoggerFactory.getLogger(Termination.class)
                    .warn("SIGTERM needs a thread yet to be started, which a limit of tasks may refuse: {}", unheard.getMessage());
        }
        return termination;
    }

    private void signalled() {
        if (!ask()) {
            news.release();
        }
    }

    /** False where somebody has asked before. */
    private boolean ask() {
        boolean first = state.compareAndSet(State.WAITING, State.ASKED);
        if (first) {
            decided.countDown();
        }
        return first;
    }

    /** Whether it is to be closed; not before that is known. */
    private boolean awaitDecision() {
        while (state.get() == State.WAITING) {
            try {
                decided.await();
            } catch (InterruptedException nobodysBusiness) {
                // Waits on.
            }
        }
        return state.get() == State.ASKED;
    }

    private void awaitAndClose() {
        if (!awaitDecision()) {
            return;
        }
        int status = Commands.FAILED;
        try {
            closed.close();
            status = 0;
        } catch (Exception failed) {
            System.err.println("sluice: error: " + failed.getMessage());
        } finally {
            closedWith.complete(status);
            news.release();
        }
    }

    private void awaitAndEnd() {
        if (!awaitDecision()) {
            return;
        }
        int status = Commands.FAILED;
        try {
            status = patience == null ? closedWith.join() : awaitClosed(patience);
        } finally {
            // Not exit, which waits for the hooks, one of ours among them.
            Runtime.getRuntime().halt(status);
        }
    }

    private int awaitClosed(Patience patience) {
        long begun = System.nanoTime();
        try {
            boolean told = news.tryAcquire(patience.limit().toNanos(), TimeUnit.NANOSECONDS);
            if (told && !closedWith.isDone()) {
                patience.cutShort();
            }
            return closedWith.get(GRACE.toMillis(), TimeUnit.MILLISECONDS);
        } catch (TimeoutException stillOpen) {
            System.err.println("sluice: error: requests are still in flight in the backend " + Duration.ofNanos(System.nanoTime() - begun).toSeconds()
                    + " s after the signal: ending without completing them; their guests send them again when they reconnect, or time out");
            return Commands.FAILED;
        } catch (InterruptedException | ExecutionException ended) {
            return Commands.FAILED;
        }
    }

    private void askAndWait() {
        boolean _ = ask();
        awaitEnd();
    }

    /** Takes the promise back; where a signal was faster this waits for the end of the process. */
    @Override
    public void close() {
        try {
            Runtime.getRuntime().removeShutdownHook(hook);
        } catch (IllegalStateException shuttingDown) {
            boolean _ = ask();
        }
        if (!state.compareAndSet(State.WAITING, State.TAKEN_BACK)) {
            awaitEnd();
            return;
        }
        decided.countDown();
        Signals.release(SignalPipe.SIGTERM, signalled);
        Signals.release(SignalPipe.SIGINT, signalled);
    }

    private void awaitEnd() {
        boolean interrupted = false;
        while (ending.isAlive()) {
            try {
                ending.join();
            } catch (InterruptedException later) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }
}
