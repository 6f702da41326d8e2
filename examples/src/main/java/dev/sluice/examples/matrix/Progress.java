package dev.sluice.examples.matrix;

import java.io.Console;
import java.io.PrintStream;
import java.util.Locale;

/**
 * A line that says what is being measured and how long it will still take: rewritten in place on a terminal, a line for each step elsewhere.
 * One thread.
 */
final class Progress {
    private static final boolean TERMINAL = onTerminal();
    private static final int WIDTH = 110;

    private final PrintStream out;
    private final double estimateSeconds;
    private final long startNanos = System.nanoTime();
    private double estimateDoneSeconds;

    Progress(PrintStream out, double estimateSeconds) {
        this.out = out;
        this.estimateSeconds = estimateSeconds;
    }

    @SuppressWarnings("SystemConsoleNull") // it may be null where another console provider is chosen
    private static boolean onTerminal() {
        Console console = System.console();
        return console != null && console.isTerminal();
    }

    /** What goes on now. */
    void show(String what) {
        String text = String.format(Locale.ROOT, "  %3.0f %%  %s left  %s", 100 * Math.min(1, estimateDoneSeconds / estimateSeconds), time(leftSeconds()), what);
        if (TERMINAL) {
            out.print("\r" + (text.length() > WIDTH ? text.substring(0, WIDTH) : text + " ".repeat(WIDTH - text.length())));
        } else {
            out.println(text);
        }
        out.flush();
    }

    /** A line that stays. */
    void say(String line) {
        clear();
        out.println(line);
        out.flush();
    }

    /** A step of this estimate is over. */
    void done(double stepEstimateSeconds) {
        estimateDoneSeconds += stepEstimateSeconds;
    }

    void clear() {
        if (TERMINAL) {
            out.print("\r" + " ".repeat(WIDTH) + "\r");
        }
    }

    /** The estimate of what is left, corrected by how wrong it was so far. */
    private double leftSeconds() {
        double left = Math.max(0, estimateSeconds - estimateDoneSeconds);
        double elapsed = (System.nanoTime() - startNanos) / 1e9;
        return estimateDoneSeconds > estimateSeconds / 20 ? left * elapsed / estimateDoneSeconds : left;
    }

    /** {@code 3 min 05 s}. */
    static String time(double seconds) {
        long whole = Math.round(seconds);
        return whole < 60 ? whole + " s" : String.format(Locale.ROOT, "%d min %02d s", whole / 60, whole % 60);
    }
}
