package dev.sluice.pipeline;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.List;

/**
 * The lines that are logged between its construction and its {@link #close}: the tests' logger writes to {@code System.err}, each line with its thread's name.
 * Lines of other threads, which may be of tests before, are left out.
 */
final class CapturedLog implements AutoCloseable {
    private final String mine = "[" + Thread.currentThread().getName() + "] ";
    private final PrintStream before = System.err;
    private final ByteArrayOutputStream written = new ByteArrayOutputStream();

    CapturedLog() {
        System.setErr(new PrintStream(written, true, StandardCharsets.UTF_8));
    }

    List<String> lines() {
        return written.toString(StandardCharsets.UTF_8).lines().filter(line -> !line.startsWith("[") || line.startsWith(mine)).toList();
    }

    /** Lines that contain a text. */
    List<String> lines(String text) {
        return lines().stream().filter(line -> line.contains(text)).toList();
    }

    @Override
    public void close() {
        System.setErr(before);
        before.print(written.toString(StandardCharsets.UTF_8));
    }
}
