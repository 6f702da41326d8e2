package dev.sluice.bench.matrix;

import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.function.Predicate;

/** The results of a row from all rounds so far. One thread. */
final class RowResult {
    private final Row row;
    private final List<Sample> samples = new ArrayList<>();
    private final Set<String> failures = new LinkedHashSet<>();
    private String skipped = "";
    private String refused = "";
    private boolean uncompared;

    RowResult(Row row) {
        this.row = row;
    }

    void add(Sample sample) {
        samples.add(sample);
    }

    /** Records a round in which it could not be measured. */
    void fail(String why) {
        failures.add(why);
    }

    /** Records why its figures may not be compared; they are not shown then. */
    void refuse(String why) {
        refused = why;
    }

    /** Records that its figures are shown without being comparable. */
    void leaveUncompared() {
        uncompared = true;
    }

    /** Whether its figures are shown and not compared. */
    boolean uncompared() {
        return uncompared;
    }

    /** A row with some of the samples alone. */
    RowResult where(Predicate<Sample> wanted) {
        RowResult part = new RowResult(row);
        samples.stream().filter(wanted).forEach(part::add);
        part.failures.addAll(failures);
        part.skipped = skipped;
        return part;
    }

    /** Records that it cannot be measured on this machine, which is not a failure. */
    void skip(String why) {
        skipped = why;
    }

    Row row() {
        return row;
    }

    List<Sample> samples() {
        return samples;
    }

    /** The reasons of failed rounds; each reason once. */
    Set<String> failures() {
        return failures;
    }

    /** The reason for leaving it out; empty if it was measured. */
    String skipped() {
        return skipped;
    }

    /** The reason for not showing what was measured; empty if it is shown. */
    String refused() {
        return refused;
    }

    /** Empty if no round produced this figure, or it was refused. */
    Optional<Spread> spread(Metric metric) {
        return refused.isEmpty() ? measured(metric) : Optional.empty();
    }

    /** The same, refused or not. */
    Optional<Spread> measured(Metric metric) {
        return Spread.of(samples.stream().map(sample -> sample.figures().get(metric)).filter(Objects::nonNull).toList());
    }
}
