package dev.sluice.metrics.http;

import java.io.IOException;
import org.jspecify.annotations.Nullable;

/**
 * An answer that is made when somebody asks, and not more often than its interval allows: who asks sooner gets the same one, so that no number of
 * clients makes more garbage or work than one.
 *
 * <p><b>Threading:</b> any thread; one makes the answer, others wait for it.
 */
final class Shared<T> {
    /** Makes an answer. */
    @FunctionalInterface
    interface Source<T> {
        T make() throws IOException;
    }

    private final Source<T> source;
    private final long intervalNanos;
    private @Nullable T last;
    private long madeNanos;

    Shared(Source<T> source, long intervalNanos) {
        this.source = source;
        this.intervalNanos = intervalNanos;
    }

    /** The answer; nobody changes it. */
    synchronized T value() throws IOException {
        T known = last;
        if (known != null && System.nanoTime() - madeNanos < intervalNanos) {
            return known;
        }
        T made = source.make();
        // From the end: what takes long to make is not made without a pause.
        madeNanos = System.nanoTime();
        last = made;
        return made;
    }
}
