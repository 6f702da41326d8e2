package dev.sluice.linux;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.stream.Stream;

/**
 * What is logged between its construction and its {@link #close}, which prints it: the tests' logger writes to whatever {@code System.err} is at the moment,
 * each line with its thread's name. One at a time.
 */
public final class CapturedLog implements AutoCloseable {
    private final String mine = "[" + Thread.currentThread().getName() + "] ";
    private final PrintStream before = System.err;
    private final ByteArrayOutputStream written = new ByteArrayOutputStream();

    public CapturedLog() {
        System.setErr(new PrintStream(written, true, StandardCharsets.UTF_8));
    }

    public String text() {
        return written.toString(StandardCharsets.UTF_8);
    }

    /** Lines of any thread that contain a text. */
    public List<String> containing(String text) {
        return text().lines().filter(line -> line.contains(text)).toList();
    }

    /** Lines of this thread: those of others may be of tests before. */
    public List<String> lines() {
        return own().toList();
    }

    /** Lines of this thread that contain a text. */
    public List<String> lines(String text) {
        return own().filter(line -> line.contains(text)).toList();
    }

    private Stream<String> own() {
        return text().lines().filter(line -> !line.startsWith("[") || line.startsWith(mine));
    }

    /** Level and message of each line of a class's logger, without stack traces. */
    public List<String> of(Class<?> logger) {
        String separator = " " + logger.getName() + " - ";
        return containing(separator).stream().map(line -> line.substring(line.indexOf(']') + 2).replace(separator, ": ")).toList();
    }

    @Override
    public void close() {
        System.setErr(before);
        before.print(text());
    }
}
