package dev.sluice.examples.matrix;

import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;

/** What all rounds so far showed of a row. One thread. */
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

    /** A round in which it could not be measured. */
    void fail(String why) {
        failures.add(why);
    }

    /** It cannot be measured here, and nobody is to blame. */
    void skip(String why) {
        skipped = why;
    }

    Row row() {
        return row;
    }

    List<Sample> samples() {
        return samples;
    }

    /** Why rounds failed; each reason once. */
    Set<String> failures() {
        return failures;
    }

    /** Why it was left out; empty where it was not. */
    String skipped() {
        return skipped;
    }

    /** Empty where no round showed this figure. */
    Optional<Spread> spread(Metric metric) {
        return Spread.of(samples.stream().map(sample -> sample.figures().get(metric)).filter(Objects::nonNull).toList());
    }
}
