package dev.sluice.bench.matrix;

import java.io.BufferedReader;
import java.io.IOException;

/** Other programs of this machine. Any thread. */
final class Programs {
    private Programs() {}

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
