package dev.sluice.bench.matrix;

import java.util.List;
import java.util.Optional;

/** The results of a table so far. */
record ExperimentResult(Section section, Experiment experiment, List<RowResult> rows) {
    static ExperimentResult empty(Section section, Experiment experiment) {
        return new ExperimentResult(section, experiment, experiment.rows().stream().map(RowResult::new).toList());
    }

    /**
     * The number of requests per CPU second relative to the first row, 1 for equal; empty if one of the two is unknown or the
     * table does not compare.
     */
    Optional<Double> gain(RowResult row) {
        if (!experiment.gains() || row == rows.getFirst()) {
            return Optional.empty();
        }
        Optional<Spread> first = rows.getFirst().spread(Metric.PER_CPU_SECOND);
        return row.spread(Metric.PER_CPU_SECOND).flatMap(own -> first.map(base -> own.median() / base.median()));
    }
}
