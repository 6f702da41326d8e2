package dev.sluice.examples.cli;

/**
 * What is to be closed on SIGTERM and SIGINT: whatever was acknowledged is on its way to the disk; finish it and leave with 0.
 *
 * <pre>
 * try (DiskHost host = DiskHost.start(loops, sockets);
 *         Termination _ = Termination.closes(host)) { ... }
 * </pre>
 *
 * <p><b>Threading:</b> any thread; on a signal the hook's thread closes, and ends the process. <b>Failure:</b> where closing fails the process ends
 * with 1.
 */
public final class Termination implements AutoCloseable {
    private final Thread hook;

    private Termination(AutoCloseable closed) {
        hook = Thread.ofPlatform().name("sluice-termination").unstarted(() -> end(closed));
        Runtime.getRuntime().addShutdownHook(hook);
    }

    /** From now on a signal closes this. Say it before the first front end can connect: it may have requests in flight. */
    public static Termination closes(AutoCloseable closed) {
        return new Termination(closed);
    }

    private static void end(AutoCloseable closed) {
        int status = Commands.FAILED;
        try {
            closed.close();
            status = 0;
        } catch (Exception failed) {
            System.err.println("sluice: error: " + failed.getMessage());
        } finally {
            // Not exit, which waits for the hooks, this one among them.
            Runtime.getRuntime().halt(status);
        }
    }

    /** Takes the promise back; where a signal was faster this waits for the end of the process. */
    @Override
    public void close() {
        try {
            Runtime.getRuntime().removeShutdownHook(hook);
        } catch (IllegalStateException shuttingDown) {
            awaitEnd();
        }
    }

    private void awaitEnd() {
        boolean interrupted = false;
        while (hook.isAlive()) {
            try {
                hook.join();
            } catch (InterruptedException later) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }
}
