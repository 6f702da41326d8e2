package dev.sluice.server.cli;

import java.io.Console;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;

/** A progress line: rewritten in place on a terminal, printed once a second elsewhere. A thread of its own queries the text until it is closed. */
public final class LiveText implements AutoCloseable {
    private static final boolean TERMINAL = onTerminal();
    private static final long PERIOD_MILLIS = TERMINAL ? 200 : 1000;
    private static final int COLUMNS = 100;

    private final Supplier<String> text;
    private final CountDownLatch closed = new CountDownLatch(1);
    private final Thread thread = Thread.ofPlatform().name("progress").daemon().unstarted(this::run);

    private LiveText(Supplier<String> text) {
        this.text = text;
    }

    @SuppressWarnings("SystemConsoleNull") // may be null with another console provider
    private static boolean onTerminal() {
        Console console = System.console();
        return console != null && console.isTerminal();
    }

    /** Shows the supplier's text until it is closed. */
    public static LiveText start(Supplier<String> text) {
        LiveText line = new LiveText(text);
        line.thread.start();
        return line;
    }

    private void run() {
        try {
            while (!closed.await(PERIOD_MILLIS, TimeUnit.MILLISECONDS)) {
                System.out.print(TERMINAL ? "\r" + text.get() : text.get() + "\n");
                System.out.flush();
            }
        } catch (InterruptedException ended) {
            Thread.currentThread().interrupt();
        }
        if (TERMINAL) {
            System.out.print("\r" + " ".repeat(COLUMNS) + "\r");
        }
    }

    @Override
    public void close() {
        closed.countDown();
        try {
            thread.join();
        } catch (InterruptedException ended) {
            Thread.currentThread().interrupt();
        }
    }
}
