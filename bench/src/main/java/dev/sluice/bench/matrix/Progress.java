package dev.sluice.bench.matrix;

import java.io.Console;
import java.io.PrintStream;
import java.util.Locale;

/**
 * A line with the current step and the estimated time left: rewritten in place on a terminal, printed for each step elsewhere.
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

    @SuppressWarnings("SystemConsoleNull") // may be null with another console provider
    private static boolean onTerminal() {
        Console console = System.console();
        return console != null && console.isTerminal();
    }

    /** Shows the current step. */
    void show(String what) {
        String text = String.format(Locale.ROOT, "  %3.0f %%  %s left"
                + "  %s", 100 * Math.min(1, estimateDoneSeconds / estimateSeconds), time(leftSeconds()), what);
        if (TERMINAL) {
            out.print("\r" + (text.length() > WIDTH ? text.substring(0, WIDTH) : text + " ".repeat(WIDTH - text.length())));
        } else {
            out.println(text);
        }
        out.flush();
    }

    /** Prints a line that stays. */
    void say(String line) {
        clear();
        out.println(line);
        out.flush();
    }

    /** Ends a step of this estimate. */
    void done(double stepEstimateSeconds) {
        estimateDoneSeconds += stepEstimateSeconds;
    }

    void clear() {
        if (TERMINAL) {
            out.print("\r" + " ".repeat(WIDTH) + "\r");
        }
    }

    /** The estimate of the time left, corrected by its error so far. */
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
