package dev.sluice.bench.matrix;

import dev.sluice.bench.load.LoadReport;
import java.util.Collections;
import java.util.EnumMap;
import java.util.Map;
import java.util.OptionalDouble;

/** The figures of one row in one round; unknown figures are absent. Immutable. */
record Sample(Map<Metric, Double> figures) {
    Sample {
        figures = Collections.unmodifiableMap(figures.isEmpty() ? new EnumMap<>(Metric.class) : new EnumMap<>(figures));
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
