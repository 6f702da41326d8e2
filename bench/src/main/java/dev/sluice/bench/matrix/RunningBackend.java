package dev.sluice.bench.matrix;

import dev.sluice.bench.load.BackendStats;
import dev.sluice.server.cli.BackendProcess;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.TimeUnit;
import java.util.function.UnaryOperator;

/**
 * A backend that serves: a process of its own with its socket, log and statistics.
 *
 * <p><b>Threading:</b> one thread. <b>Ownership:</b> whoever starts it closes it, and may then use the image for the next one. <b>Failure:</b> an
 * {@code IOException} whose message contains the process's last words.
 */
final class RunningBackend implements AutoCloseable {
    private static final long START_SECONDS = 30;
    private static final long LOOK_MILLIS = 10;
    private static final int SIGTERM_STATUS = 128 + 15;

    private final Workspace workspace;
    private final BackendSpec spec;
    private final Places places;
    private final Path log;
    private final Process process;
    private boolean closed;

    private RunningBackend(Workspace workspace, BackendSpec spec, Places places, Path log, Process process) {
        this.workspace = workspace;
        this.spec = spec;
        this.places = places;
        this.log = log;
        this.process = process;
    }

    /** Starts the process and waits until its sockets exist. */
    static RunningBackend start(BackendSpec spec, Path image, Workspace workspace) throws IOException, InterruptedException {
        return start(spec, image, Places.WORDS.tools(), UnaryOperator.identity(), workspace);
    }

    /**
     * The same with other programs.
     *
     * @param launcher of the command: what the command becomes
     */
    static RunningBackend start(BackendSpec spec, Path image, Places.Tools tools, UnaryOperator<List<String>> launcher, Workspace workspace)
            throws IOException, InterruptedException {
        Path directory = Files.createTempDirectory(workspace.directory(), "backend-");
        Places places = new Places(directory.resolve("disk.sock"), image, directory.resolve("stats.json"), tools);
        spec.prepare(places);
        Path log = directory.resolve("log");
        Process process = workspace.start(new ProcessBuilder(launcher.apply(spec.command(places))).redirectErrorStream(true).redirectOutput(log.toFile()));
        process.getOutputStream().close();
        RunningBackend backend = new RunningBackend(workspace, spec, places, log, process);
        try {
            backend.awaitSocket();
            return backend;
        } catch (IOException | InterruptedException | RuntimeException failed) {
            boolean _ = workspace.end(process);
            throw failed;
        }
    }

    private void awaitSocket() throws IOException, InterruptedException {
        long start = System.nanoTime();
        while (!sockets().stream().allMatch(Files::exists)) {
            if (process.waitFor(LOOK_MILLIS, TimeUnit.MILLISECONDS)) {
                throw new IOException("the backend exited with " + process.exitValue() + " instead of serving: " + lastWords());
            }
            if (System.nanoTime() - start > TimeUnit.SECONDS.toNanos(START_SECONDS)) {
                throw new IOException("the backend has not created its socket within " + START_SECONDS + " s: " + lastWords());
            }
        }
    }

    Path socket() {
        return places.socket();
    }

    /** One for each disk. */
    List<Path> sockets() {
        return places.sockets(spec.disks());
    }

    long pid() {
        return process.pid();
    }

    BackendProcess process() {
        return new BackendProcess((int) process.pid());
    }

    BackendStats stats() throws IOException {
        return spec.hasStats() ? BackendStats.in(places.stats()) : BackendStats.NONE;
    }

    /** The process's complaint: its last line that mentions an error, or its first line; usage text follows that. */
    String lastWords() {
        try {
            List<String> lines = Files.readAllLines(log, StandardCharsets.UTF_8).stream().filter(line -> !line.isBlank()).toList();
            List<String> errors = lines.stream().filter(line -> line.toLowerCase(Locale.ROOT).contains("error")).toList();
            return lines.isEmpty() ? "it printed nothing" : (errors.isEmpty() ? lines.getFirst() : errors.getLast()).strip();
        } catch (IOException unreadable) {
            return "its output cannot be read (" + unreadable.getMessage() + ")";
        }
    }

    /**
     * Terminates the process; the image is free when this returns. Idempotent.
     *
     * @throws IOException if it had terminated before, did not terminate on request, or exited with an error
     */
    @Override
    public void close() throws IOException {
        if (closed) {
            return;
        }
        closed = true;
        boolean alive = process.isAlive();
        boolean ended;
        try {
            ended = workspace.end(process);
        } catch (InterruptedException interrupted) {
            process.destroyForcibly();
            Thread.currentThread().interrupt();
            return;
        }
        int status = process.exitValue();
        // A program without a handler of its own is killed by the signal.
        if (!alive || !ended || (status != 0 && status != SIGTERM_STATUS)) {
            throw new IOException("the backend " + (!alive ? "terminated by itself" : !ended ? "did not terminate on SIGTERM" : "failed on SIGTERM")
                    + ", with " + status + ": " + lastWords());
        }
    }
}
