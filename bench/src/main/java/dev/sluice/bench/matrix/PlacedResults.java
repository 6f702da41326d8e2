package dev.sluice.bench.matrix;

import dev.sluice.bench.ring.Placement;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;

/**
 * Results by placement of the CPUs: a table that was calibrated becomes one for each placement that it saw, and figures that the load may have limited
 * are refused in it.
 */
final class PlacedResults {
    /** A figure above this share of the floor's says more about the load than about the backend. */
    static final double MOST_OF_FLOOR = 0.8;

    private PlacedResults() {}

    /** The tables to show. Those without calibration, or without any figure, are unchanged. */
    static List<ExperimentResult> split(List<ExperimentResult> experiments) {
        List<ExperimentResult> shown = new ArrayList<>();
        for (ExperimentResult experiment : experiments) {
            Map<Placement, ExperimentResult> parts = parts(experiment);
            if (parts.isEmpty()) {
                shown.add(experiment);
            } else {
                shown.addAll(parts.values());
            }
        }
        return shown;
    }

    private static Map<Placement, ExperimentResult> parts(ExperimentResult experiment) {
        Map<Placement, ExperimentResult> parts = new EnumMap<>(Placement.class);
        for (Placement placement : Placement.values()) {
            List<RowResult> rows = experiment.rows().stream()
                    .map(row -> row.where(sample -> sample.placement().equals(Optional.of(placement))))
                    .filter(row -> !row.samples().isEmpty() || !row.skipped().isEmpty() || !row.failures().isEmpty())
                    .toList();
            if (rows.stream().anyMatch(row -> !row.samples().isEmpty())) {
                ExperimentResult part = new ExperimentResult(
                        experiment.section(), experiment.experiment().titled(experiment.experiment().title() + ", CPUs " + placement.text()), rows);
                if (placement.comparable()) {
                    refuseWhatTheLoadLimits(part);
                } else {
                    rows.stream().filter(row -> !row.samples().isEmpty()).forEach(RowResult::leaveUncompared);
                }
                parts.put(placement, part);
            }
        }
        return parts;
    }

    private static void refuseWhatTheLoadLimits(ExperimentResult experiment) {
        Optional<Double> floor = experiment.rows().stream()
                .filter(row -> row.row().backend() instanceof FloorSpec)
                .findFirst()
                .flatMap(row -> row.measured(Metric.IOPS))
                .map(Spread::median);
        if (floor.isEmpty()) {
            boolean ring = experiment.experiment().rows().stream().anyMatch(row -> row.backend() instanceof FloorSpec);
            if (ring) {
                experiment.rows().stream().filter(row -> !row.samples().isEmpty()).forEach(RowResult::leaveUncompared);
            }
            return;
        }
        for (RowResult row : experiment.rows()) {
            if (!(row.row().backend() instanceof FloorSpec)) {
                row.measured(Metric.IOPS).map(Spread::median).filter(iops -> iops > MOST_OF_FLOOR * floor.get()).ifPresent(iops -> row.refuse(String.format(
                        Locale.ROOT, "%,.0f requests/s are above %.1f of the floor's %,.0f: limited by the load", iops, MOST_OF_FLOOR, floor.get())));
            }
        }
    }
}
