package dev.sluice.bench;

import dev.sluice.bench.load.FullImage;
import dev.sluice.bench.load.SluiceCommandLine;
import dev.sluice.server.cli.LaunchException;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/**
 * A {@code sluice serve} in a process of its own, as users run it, on a new image in a temporary directory.
 *
 * <p><b>Ownership:</b> whoever starts it closes it: that terminates the process and removes the directory, as does the exit of this JVM.
 */
final class ServeProcess implements AutoCloseable {
    private static final long END_SECONDS = 20;

    private final Path directory;
    private final Process process;
    private final Thread atExit;
    private final String readyLine;

    private ServeProcess(Path directory, Process process, String readyLine) {
        this.directory = directory;
        this.process = process;
        this.readyLine = readyLine;
        this.atExit = Thread.ofPlatform().unstarted(this::end);
        Runtime.getRuntime().addShutdownHook(atExit);
    }

    /**
     * Creates the image, starts the process and waits until it is ready.
     *
     * @throws LaunchException if it exits instead; its own message is on stderr already
     */
    static ServeProcess start(long imageBytes, int queues, int queueSize) throws IOException {
        Path directory = Files.createTempDirectory("sluice-demo-");
        Process process = null;
        try {
            Path image = directory.resolve("disk.img");
            FullImage.create(image, imageBytes);
            process = new ProcessBuilder(command(directory, queues, queueSize)).redirectError(ProcessBuilder.Redirect.INHERIT).start();
            BufferedReader out = process.inputReader(StandardCharsets.UTF_8);
            String line = out.readLine();
            if (line == null || !line.startsWith("ready")) {
                throw new LaunchException("the backend did not start; see its message above");
            }
            return new ServeProcess(directory, process, line);
        } catch (IOException | RuntimeException failed) {
            if (process != null) {
                process.destroyForcibly();
            }
            remove(directory);
            throw failed;
        }
    }

    private static List<String> command(Path directory, int queues, int queueSize) {
        return SluiceCommandLine.of(List.of(
                "serve",
                "--socket-path", directory.resolve("disk.sock").toString(),
                "--blk-file", directory.resolve("disk.img").toString(),
                "--stats", directory.resolve("stats.json").toString(),
                "--serial", "sluice-demo",
                "--num-queues", Integer.toString(queues),
                "--queue-size", Integer.toString(queueSize)));
    }

    String readyLine() {
        return readyLine;
    }

    Path socket() {
        return directory.resolve("disk.sock");
    }

    Path stats() {
        return directory.resolve("stats.json");
    }

    long pid() {
        return process.pid();
    }

    /**
     * Asks the process to terminate, as an init system does.
     *
     * @throws LaunchException if it does not exit in time, or not with 0
     */
    @Override
    public void close() {
        try {
            Runtime.getRuntime().removeShutdownHook(atExit);
        } catch (IllegalStateException ending) {
            return; // The hook removes the rest.
        }
        boolean alive = process.isAlive();
        end();
        if (!alive || process.exitValue() != 0) {
            throw new LaunchException("the backend exited with " + process.exitValue() + (alive ? "" : " before it was asked to"));
        }
    }

    private void end() {
        process.destroy();
        try {
            if (!process.waitFor(END_SECONDS, TimeUnit.SECONDS)) {
                process.destroyForcibly().waitFor();
            }
        } catch (InterruptedException interrupted) {
            process.destroyForcibly();
            Thread.currentThread().interrupt();
        }
        remove(directory);
    }

    private static void remove(Path directory) {
        try (Stream<Path> files = Files.walk(directory)) {
            for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
                Files.deleteIfExists(file);
            }
        } catch (IOException failed) {
            throw new UncheckedIOException("cannot remove " + directory, failed);
        }
    }
}
