package dev.sluice.bench.matrix;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/**
 * Every process and every file that a matrix creates; none of them outlives it, however it terminates.
 *
 * <p><b>Threading:</b> any. <b>Ownership:</b> {@link #close} terminates the processes and removes the directories; so does the exit of this JVM, on a
 * signal as well. Once either has begun nothing new can be started.
 */
final class Workspace implements AutoCloseable {
    private static final long END_SECONDS = 20;
    private static final String PREFIX = "sluice-matrix-";

    private final Path directory;
    private final List<Path> directories = new ArrayList<>();
    private final List<Process> processes = new ArrayList<>();
    private final Thread atExit = Thread.ofPlatform().unstarted(this::clear);
    private boolean closed;

    private Workspace() throws IOException {
        directory = Files.createTempDirectory(PREFIX);
        directories.add(directory);
    }

    static Workspace create() throws IOException {
        Workspace workspace = new Workspace();
        Runtime.getRuntime().addShutdownHook(workspace.atExit);
        return workspace;
    }

    /** For sockets, logs and statistics. */
    Path directory() {
        return directory;
    }

    /** A new directory in another, for an image. */
    synchronized Path directoryIn(Path parent) throws IOException {
        refuseIfClosed();
        Path made = Files.createTempDirectory(parent, PREFIX);
        directories.add(made);
        return made;
    }

    /** Starts a process. */
    synchronized Process start(ProcessBuilder builder) throws IOException {
        refuseIfClosed();
        Process process = builder.start();
        processes.add(process);
        return process;
    }

    /**
     * Asks a process to terminate, and kills it if it does not.
     *
     * @return whether it terminated on request
     */
    boolean end(Process process) throws InterruptedException {
        process.destroy();
        boolean ended = process.waitFor(END_SECONDS, TimeUnit.SECONDS);
        if (!ended) {
            int _ = process.destroyForcibly().waitFor();
        }
        synchronized (this) {
            processes.remove(process);
        }
        return ended;
    }

    /** True as soon as the cleanup has begun. */
    synchronized boolean closed() {
        return closed;
    }

    private void refuseIfClosed() throws IOException {
        if (closed) {
            throw new IOException("the matrix is terminating");
        }
    }

    @Override
    public void close() {
        try {
            Runtime.getRuntime().removeShutdownHook(atExit);
        } catch (IllegalStateException ending) {
            return; // The hook removes the rest.
        }
        clear();
    }

    private void clear() {
        List<Process> running;
        List<Path> made;
        synchronized (this) {
            closed = true;
            running = List.copyOf(processes);
            made = List.copyOf(directories);
        }
        running.forEach(Process::destroy);
        for (Process process : running) {
            try {
                boolean _ = end(process);
            } catch (InterruptedException interrupted) {
                process.destroyForcibly();
                Thread.currentThread().interrupt();
            }
        }
        made.forEach(Workspace::remove);
    }

    private static void remove(Path directory) {
        try (Stream<Path> files = Files.walk(directory)) {
            for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
                boolean _ = Files.deleteIfExists(file);
            }
        } catch (IOException | UncheckedIOException failed) {
            System.err.println("sluice: cannot remove " + directory + ": " + failed.getMessage());
        }
    }
}
