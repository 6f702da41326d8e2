package dev.sluice.bench.matrix;

import java.io.BufferedReader;
import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;

/** Other programs of this machine. Any thread. */
final class Programs {
    private Programs() {}

    static boolean onPath(String program) {
        String path = System.getenv("PATH");
        return path != null
                && Stream.of(path.split(File.pathSeparator, -1))
                        .filter(directory -> !directory.isEmpty())
                        .anyMatch(directory -> Files.isExecutable(Path.of(directory, program)));
    }

    /** The first line that a short command prints; empty if it cannot be run. */
    static String firstLine(String... command) {
        try {
            Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
            process.getOutputStream().close();
            try (BufferedReader out = process.inputReader()) {
                String line = out.readLine();
                return line == null ? "" : line.strip();
            } finally {
                process.destroy();
            }
        } catch (IOException absent) {
            return "";
        }
    }
}
