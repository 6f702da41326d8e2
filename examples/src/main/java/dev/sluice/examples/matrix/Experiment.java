package dev.sluice.examples.matrix;

import java.util.List;
import java.util.function.Predicate;

/**
 * A table: rows that are compared with one another. Immutable.
 *
 * @param note what to know to read it
 * @param headline what the plot shows of it
 * @param gains whether each row is compared with the first, in requests per CPU second
 */
record Experiment(String title, String note, Metric headline, boolean gains, List<Row> rows) {
    Experiment {
        rows = List.copyOf(rows);
    }

    /** The same with those rows only. */
    Experiment where(Predicate<Row> wanted) {
        return new Experiment(title, note, headline, gains, rows.stream().filter(wanted).toList());
    }
}
