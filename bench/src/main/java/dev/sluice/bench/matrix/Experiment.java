package dev.sluice.bench.matrix;

import java.util.List;
import java.util.function.Predicate;

/**
 * A table: rows that are compared with one another. Immutable.
 *
 * @param note explains how to read it
 * @param headline the figure that the plot shows
 * @param gains whether each row is compared with the first, in requests per CPU second
 */
record Experiment(String title, String note, Metric headline, boolean gains, List<Row> rows) {
    Experiment {
        rows = List.copyOf(rows);
    }

    /** The same under another title. */
    Experiment titled(String other) {
        return new Experiment(other, note, headline, gains, rows);
    }

    /** The same with only these rows. */
    Experiment where(Predicate<Row> wanted) {
        return new Experiment(title, note, headline, gains, rows.stream().filter(wanted).toList());
    }
}
