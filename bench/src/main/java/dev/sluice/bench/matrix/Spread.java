package dev.sluice.bench.matrix;

import java.util.Collection;
import java.util.Optional;

/** The median, minimum and maximum of some figures. Immutable. */
record Spread(double median, double least, double most) {
    /** Empty if there are none. The median of an even number of figures is the mean of the middle two. */
    static Optional<Spread> of(Collection<Double> figures) {
        if (figures.isEmpty()) {
            return Optional.empty();
        }
        double[] sorted = figures.stream().mapToDouble(Double::doubleValue).sorted().toArray();
        int middle = sorted.length / 2;
        double median = sorted.length % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
        return Optional.of(new Spread(median, sorted[0], sorted[sorted.length - 1]));
    }
}
