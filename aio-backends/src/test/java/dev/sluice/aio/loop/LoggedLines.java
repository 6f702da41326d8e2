package dev.sluice.aio.loop;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.List;

/** What is logged from its making to its end, which is what the logger of the tests writes to standard error. One test at a time. */
public final class LoggedLines implements AutoCloseable {
    private final PrintStream before = System.err;
    private final ByteArrayOutputStream logged = new ByteArrayOutputStream();

    public LoggedLines() {
        System.setErr(new PrintStream(logged, true, StandardCharsets.UTF_8));
    }

    /** Lines so far that contain a text. */
    public List<String> containing(String text) {
        return logged.toString(StandardCharsets.UTF_8).lines().filter(line -> line.contains(text)).toList();
    }

    @Override
    public void close() {
        System.setErr(before);
        before.print(logged.toString(StandardCharsets.UTF_8));
    }
}
