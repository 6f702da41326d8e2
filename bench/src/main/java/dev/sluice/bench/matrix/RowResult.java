package dev.sluice.bench.matrix;

import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;

/** The results of a row from all rounds so far. One thread. */
final class RowResult {
    private final Row row;
    private final List<Sample> samples = new ArrayList<>();
    private final Set<String> failures = new LinkedHashSet<>();
    private String skipped = "";

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

    /** Empty if no round produced this figure. */
    Optional<Spread> spread(Metric metric) {
        return Spread.of(samples.stream().map(sample -> sample.figures().get(metric)).filter(Objects::nonNull).toList());
    }
}
