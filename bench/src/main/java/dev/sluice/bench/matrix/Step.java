package dev.sluice.bench.matrix;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * One process of a backend and all rows of a section that are measured on it, one after another. Immutable.
 *
 * @param rows at least one
 */
record Step(Section section, BackendSpec backend, List<RowResult> rows) {
    /** Warm-up before a measurement on a process that is already warm. */
    static final double SETTLE_SECONDS = 0.5;

    /** The compiler shares the one CPU of a pinned process with its loops. */
    private static final double PLACED_FACTOR = 3;

    private static final double CALIBRATE_SECONDS = 0.3;
    private static final double CONNECT_SECONDS = 0.1;
    private static final double BOOT_SECONDS = 8;

    /** The steps of a round, in order: rows with equal backends in the same section share a process. */
    static List<Step> of(List<ExperimentResult> experiments) {
        Map<Section, Map<BackendSpec, List<RowResult>>> grouped = new LinkedHashMap<>();
        for (ExperimentResult experiment : experiments) {
            Map<BackendSpec, List<RowResult>> ofSection = grouped.computeIfAbsent(experiment.section(), key -> new LinkedHashMap<>());
            for (RowResult row : experiment.rows()) {
                ofSection.computeIfAbsent(row.row().backend(), key -> new ArrayList<>()).add(row);
            }
        }
        List<Step> steps = new ArrayList<>();
        grouped.forEach((section, backends) -> backends.forEach((backend, rows) -> steps.add(new Step(section, backend, List.copyOf(rows)))));
        return steps;
    }

    /** Whether its processes are pinned. */
    boolean placed() {
        return rows.getFirst().row().workload() instanceof RingWorkload;
    }

    /** Load before the measurement of a row. */
    double warmUpSeconds(int row, MatrixSettings settings) {
        if (placed() && row == 0 && backend.compilesWhileRunning()) {
            return Math.max(SETTLE_SECONDS, PLACED_FACTOR * settings.warmUpSeconds());
        }
        return row == 0 && backend.compilesWhileRunning() ? Math.max(SETTLE_SECONDS, settings.warmUpSeconds()) : SETTLE_SECONDS;
    }

    /** Approximate duration. */
    double estimateSeconds(MatrixSettings settings) {
        double sum = backend.startAndStopSeconds();
        for (int i = 0; i < rows.size(); i++) {
            sum += switch (rows.get(i).row().workload()) {
                case DriverLoad _ -> CONNECT_SECONDS + warmUpSeconds(i, settings) + settings.seconds();
                case RingWorkload _ -> CALIBRATE_SECONDS + warmUpSeconds(i, settings) + settings.seconds();
                case GuestFio _ -> settings.seconds() * 1.5 + (i == 0 ? BOOT_SECONDS + settings.seconds() : 0);
            };
        }
        return sum;
    }
}
