package dev.sluice.examples.cli;

import dev.sluice.linux.LinuxUnavailableException;
import dev.sluice.linux.SignalPipe;
import java.io.IOException;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicReference;
import org.slf4j.LoggerFactory;

/**
 * What is to be closed on SIGTERM and SIGINT: whatever was acknowledged is on its way to the disk; finish it and leave with 0.
 *
 * <pre>
 * try (DiskHost host = DiskHost.start(loops, sockets);
 *         Termination _ = Termination.closes(host)) { ... }
 * </pre>
 *
 * <p>The thread that closes exists from the start: at a limit of tasks none could be had when the signal comes.
 *
 * <p><b>Threading:</b> any thread; on a signal, or when the JVM is told to exit, a thread of its own closes, and ends the process. <b>Failure:</b> where closing
 * fails the process ends with 1.
 */
public final class Termination implements AutoCloseable {
    private enum State {
        WAITING,
        ASKED,
        TAKEN_BACK
    }

    private final AtomicReference<State> state = new AtomicReference<>(State.WAITING);
    private final CountDownLatch decided = new CountDownLatch(1);
    private final Runnable ask = this::ask;
    private final AutoCloseable closed;
    private final Thread ending;
    private final Thread hook;

    private Termination(AutoCloseable closed) {
        this.closed = closed;
        ending = Thread.ofPlatform().daemon().name("sluice-termination").unstarted(this::awaitAndEnd);
        hook = Thread.ofPlatform().name("sluice-exit").unstarted(this::askAndWait);
    }

    /** From now on a signal closes this. Say it before the first front end can connect: it may have requests in flight. */
    public static Termination closes(AutoCloseable closed) {
        Termination termination = new Termination(closed);
        termination.begin();
        return termination;
    }

    private void begin() {
        ending.start();
        Runtime.getRuntime().addShutdownHook(hook);
        try {
            boolean _ = Signals.handle(SignalPipe.SIGTERM, ask);
            boolean _ = Signals.handle(SignalPipe.SIGINT, ask);
        } catch (IOException | LinuxUnavailableException unheard) {
            // The JVM's own handler runs the hook.
            LoggerFactory.getLogger(Termination.class)
                    .warn("SIGTERM needs a thread yet to be started, which a limit of tasks may refuse: {}", unheard.getMessage());
        }
    }

    private void ask() {
        if (state.compareAndSet(State.WAITING, State.ASKED)) {
            decided.countDown();
        }
    }

    private void awaitAndEnd() {
        while (state.get() == State.WAITING) {
            try {
                decided.await();
            } catch (InterruptedException nobodysBusiness) {
                // Waits on.
            }
        }
        if (state.get() == State.ASKED) {
            end();
        }
    }

    private void end() {
        int status = Commands.FAILED;
        try {
            closed.close();
            status = 0;
        } catch (Exception failed) {
            System.err.println("sluice: error: " + failed.getMessage());
        } finally {
            // Not exit, which waits for the hooks, one of ours among them.
            Runtime.getRuntime().halt(status);
        }
    }

    private void askAndWait() {
        ask();
        awaitEnd();
    }

    /** Takes the promise back; where a signal was faster this waits for the end of the process. */
    @Override
    public void close() {
        try {
            Runtime.getRuntime().removeShutdownHook(hook);
        } catch (IllegalStateException shuttingDown) {
            ask();
        }
        if (!state.compareAndSet(State.WAITING, State.TAKEN_BACK)) {
            awaitEnd();
            return;
        }
        decided.countDown();
        Signals.release(SignalPipe.SIGTERM, ask);
        Signals.release(SignalPipe.SIGINT, ask);
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
