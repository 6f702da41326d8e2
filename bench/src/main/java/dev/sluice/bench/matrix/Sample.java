package dev.sluice.bench.matrix;

import dev.sluice.bench.load.LoadReport;
import dev.sluice.bench.ring.Calibration;
import dev.sluice.bench.ring.Placement;
import java.util.Collections;
import java.util.EnumMap;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;

/**
 * The figures of one row in one round; unknown figures are absent. Immutable.
 *
 * @param calibration where the CPUs were, if they were pinned
 */
record Sample(Map<Metric, Double> figures, Optional<Calibration> calibration) {
    private static final double LEAST_CPU_SHARE = 0.9;

    Sample {
        figures = Collections.unmodifiableMap(figures.isEmpty() ? new EnumMap<>(Metric.class) : new EnumMap<>(figures));
    }

    Sample(Map<Metric, Double> figures) {
        this(figures, Optional.empty());
    }

    /** Whether something else ran on the CPU of a load that polls, or of such a backend. */
    static boolean disturbed(Map<Metric, Double> figures) {
        Double share = figures.get(Metric.CPU_SHARE);
        return share != null && share < LEAST_CPU_SHARE;
    }

    /** The placement among whose figures this one may be compared; empty if it was not calibrated. */
    Optional<Placement> placement() {
        return calibration.map(ends -> disturbed(figures) ? Placement.BETWEEN : ends.placement());
    }

    static Sample of(LoadReport report) {
        Map<Metric, Double> figures = new EnumMap<>(Metric.class);
        for (Metric metric : Metric.values()) {
            OptionalDouble value = metric.of(report);
            if (value.isPresent()) {
                figures.put(metric, value.getAsDouble());
            }
        }
        return new Sample(figures);
    }
}
