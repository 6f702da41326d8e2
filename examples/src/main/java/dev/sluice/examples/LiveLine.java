package dev.sluice.examples;

import dev.sluice.examples.load.Load;
import java.io.Console;
import java.util.Locale;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/** A line that shows a load's progress: rewritten in place on a terminal, one line a second elsewhere. A thread of its own until closed. */
final class LiveLine implements AutoCloseable {
    private static final boolean TERMINAL = onTerminal();
    private static final long PERIOD_MILLIS = TERMINAL ? 200 : 1000;

    private final Load load;
    private final CountDownLatch closed = new CountDownLatch(1);
    private final Thread thread = Thread.ofPlatform().name("progress").daemon().unstarted(this::run);

    private LiveLine(Load load) {
        this.load = load;
    }

    @SuppressWarnings("SystemConsoleNull") // it may be null where another console provider is chosen
    private static boolean onTerminal() {
        Console console = System.console();
        return console != null && console.isTerminal();
    }

    static LiveLine start(Load load) {
        LiveLine line = new LiveLine(load);
        line.thread.start();
        return line;
    }

    private void run() {
        long lastRequests = 0;
        long lastNanos = System.nanoTime();
        try {
            while (!closed.await(PERIOD_MILLIS, TimeUnit.MILLISECONDS)) {
                long requests = load.requests();
                long now = System.nanoTime();
                double rate = Math.max(0, requests - lastRequests) * 1e9 / (now - lastNanos);
                String phase = load.phase().name().toLowerCase(Locale.ROOT).replace('_', ' ');
                String text = String.format(
                        Locale.ROOT, "  %-10s %,12d requests  %,9.0f a second  %,9d blocks verified", phase, requests, rate, load.verifiedBlocks());
                System.out.print(TERMINAL ? "\r" + text : text + "\n");
                System.out.flush();
                lastRequests = requests;
                lastNanos = now;
            }
        } catch (InterruptedException ended) {
            Thread.currentThread().interrupt();
        }
        if (TERMINAL) {
            System.out.print("\r" + " ".repeat(90) + "\r");
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
