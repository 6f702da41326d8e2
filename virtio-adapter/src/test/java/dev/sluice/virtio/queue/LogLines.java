package dev.sluice.virtio.queue;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.List;

/** What one logger writes while a test runs: slf4j-simple writes to System.err. Use it in one thread at a time. */
public final class LogLines implements AutoCloseable {
    private final String logger;
    private final PrintStream before = System.err;
    private final ByteArrayOutputStream written = new ByteArrayOutputStream();

    private LogLines(String logger) {
        this.logger = logger;
        System.setErr(new PrintStream(written, true, StandardCharsets.UTF_8));
    }

    public static LogLines of(Class<?> logger) {
        return new LogLines(logger.getName());
    }

    /** Level and message of each line so far, without those of other loggers and without stack traces. */
    public List<String> lines() {
        String separator = " " + logger + " - ";
        return written.toString(StandardCharsets.UTF_8)
                .lines()
                .filter(line -> line.contains(separator))
                .map(line -> line.substring(line.indexOf(']') + 2).replace(separator, ": "))
                .toList();
    }

    @Override
    public void close() {
        System.setErr(before);
    }
}
