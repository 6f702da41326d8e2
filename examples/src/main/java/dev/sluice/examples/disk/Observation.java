package dev.sluice.examples.disk;

import dev.sluice.metrics.SluiceMetrics;
import java.time.Duration;
import org.jspecify.annotations.Nullable;

/**
 * What is told of a disk's requests. Immutable.
 *
 * @param counted whether requests are counted at all
 * @param slowerThan for which requests there is an event for Java Flight Recorder; null for none
 */
public record Observation(boolean counted, @Nullable Duration slowerThan) {
    /** Nothing, which costs nothing. */
    public static final Observation NONE = new Observation(false, null);

    /** Counts, and no events for requests. */
    public static final Observation COUNTED = new Observation(true, null);

    SluiceMetrics metrics(DiskSpec spec) {
        return slowerThan == null ? new SluiceMetrics(spec.name(), spec.queues()) : new SluiceMetrics(spec.name(), spec.queues(), slowerThan);
    }
}
