package dev.sluice.metrics.http;

import java.io.IOException;
import org.jspecify.annotations.Nullable;

/**
 * A value that is produced on demand, and at most once per interval: requests within the interval get the same one, so that many clients cause no
 * more garbage and work than one.
 *
 * <p><b>Threading:</b> any thread; one produces the value, others wait for it.
 */
final class Shared<T> {
    /** Produces a value. */
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

    /** The current value; must not be modified. */
    synchronized T value() throws IOException {
        T known = last;
        if (known != null && System.nanoTime() - madeNanos < intervalNanos) {
            return known;
        }
        T made = source.make();
        // From the end, so that a value that takes long to produce is not produced back to back.
        madeNanos = System.nanoTime();
        last = made;
        return made;
    }
}
