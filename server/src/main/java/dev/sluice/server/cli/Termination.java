package dev.sluice.server.cli;

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
 * What to close on SIGTERM and SIGINT: acknowledged data is on its way to the disk; finish that and exit with 0.
 *
 * <pre>
 * try (DiskHost host = DiskHost.start(loops, sockets);
 *         Termination _ = Termination.closes(host)) { ... }
 * </pre>
 *
 * <p>The threads that close are started early: at a limit of tasks none could be started when the signal comes.
 *
 * <p><b>Threading:</b> any thread; on a signal, or when the JVM is asked to exit, a thread of its own closes, and ends the process. <b>Failure:</b> if closing
 * fails, or takes longer than the patience allows, the process exits with 1.
 */
public final class Termination implements AutoCloseable {
    /** How long closing may take beyond the patience, and after a second signal. */
    private static final Duration GRACE = Duration.ofSeconds(5);

    /** Limits how long closing may take. */
    public interface Patience {
        /** Called when the signal comes: how long closing may take before the process exits without it. A short grace period is added. */
        Duration limit();

        /** A second signal: closing should take no longer than necessary. Called once, while the other thread closes. */
        void cutShort();
    }

    private enum State {
        WAITING,
        ASKED,
        TAKEN_BACK
    }

    private final AtomicReference<State> state = new AtomicReference<>(State.WAITING);
    private final CountDownLatch decided = new CountDownLatch(1);
    /** One permit when closing is done, and one for each further signal. */
    private final Semaphore events = new Semaphore(0);
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

    /** From now on a signal closes the object. Call this before the first front end can connect: it may have requests in flight. */
    public static Termination closes(AutoCloseable closed) {
        return begin(new Termination(closed, null));
    }

    /** {@link #closes(AutoCloseable)} with a limit: after it the process exits with 1 whatever is still open. A second SIGTERM or SIGINT cuts it short. */
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
            events.release();
        }
    }

    /** False if termination was already requested. */
    private boolean ask() {
        boolean first = state.compareAndSet(State.WAITING, State.ASKED);
        if (first) {
            decided.countDown();
        }
        return first;
    }

    /** Whether to close; blocks until that is decided. */
    private boolean awaitDecision() {
        while (state.get() == State.WAITING) {
            try {
                decided.await();
            } catch (InterruptedException ignored) {
                // Keeps waiting.
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
            events.release();
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
            // Not exit, which waits for the hooks, including ours.
            Runtime.getRuntime().halt(status);
        }
    }

    private int awaitClosed(Patience patience) {
        long begun = System.nanoTime();
        try {
            boolean signalled = events.tryAcquire(patience.limit().toNanos(), TimeUnit.NANOSECONDS);
            if (signalled && !closedWith.isDone()) {
                patience.cutShort();
            }
            return closedWith.get(GRACE.toMillis(), TimeUnit.MILLISECONDS);
        } catch (TimeoutException stillOpen) {
            System.err.println("sluice: error: requests are still in flight in the backend " + Duration.ofNanos(System.nanoTime() - begun).toSeconds()
                    + " s after the signal: terminating without completing them; the guests resend them when they reconnect, or time out");
            return Commands.FAILED;
        } catch (InterruptedException | ExecutionException ended) {
            return Commands.FAILED;
        }
    }

    private void askAndWait() {
        boolean _ = ask();
        awaitEnd();
    }

    /** Cancels this; if a signal came first, waits for the end of the process. */
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
