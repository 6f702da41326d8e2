package dev.sluice.server.disk;

import dev.sluice.metrics.SluiceMetrics;
import java.time.Duration;
import org.jspecify.annotations.Nullable;

/**
 * Which observations a disk's requests cause. Immutable.
 *
 * @param counted whether requests are counted at all
 * @param slowerThan slower requests cause an event for Java Flight Recorder; null for none
 */
public record Observation(boolean counted, @Nullable Duration slowerThan) {
    /** None, at no cost. */
    public static final Observation NONE = new Observation(false, null);

    /** Counts requests, without events. */
    public static final Observation COUNTED = new Observation(true, null);

    SluiceMetrics metrics(DiskSpec spec) {
        return slowerThan == null ? new SluiceMetrics(spec.name(), spec.queues()) : new SluiceMetrics(spec.name(), spec.queues(), slowerThan);
    }
}
