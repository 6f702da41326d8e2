package dev.sluice.bench.ring;

import java.io.IOException;
import java.util.function.Predicate;

/**
 * Measures between two calibrations, and again if the CPUs moved in between.
 *
 * <p><b>Threading:</b> one thread. <b>Failure:</b> that of the calibration or the measurement.
 */
public final class SteadyMeasurement {
    /** A measurement is repeated so often if the CPUs move. */
    public static final int MOST_REPEATS = 3;

    private final Calibrator calibrator;

    public SteadyMeasurement(Calibrator calibrator) {
        this.calibrator = calibrator;
    }

    /** Measures the distance of the CPUs. */
    @FunctionalInterface
    public interface Calibrator {
        /** Nanoseconds of a cache line's round trip. */
        double roundTripNanos() throws IOException, InterruptedException;
    }

    /** What is measured. */
    @FunctionalInterface
    public interface Measurement<T> {
        /** Measures once. */
        T measure() throws IOException, InterruptedException;
    }

    /**
     * A result and where it was measured.
     *
     * @param value of the last measurement
     * @param repeats how often it was measured again
     */
    public record Placed<T>(T value, Calibration calibration, int repeats) {}

    /**
     * Measures until the CPUs stayed where they were and nothing disturbed, at most {@value #MOST_REPEATS} times more; the last result is returned
     * either way.
     */
    public <T> Placed<T> run(Measurement<T> measurement, Predicate<T> undisturbed) throws IOException, InterruptedException {
        double before = calibrator.roundTripNanos();
        for (int repeats = 0;; repeats++) {
            T value = measurement.measure();
            double after = calibrator.roundTripNanos();
            Calibration calibration = new Calibration(before, after);
            if ((calibration.steady() && undisturbed.test(value)) || repeats == MOST_REPEATS) {
                return new Placed<>(value, calibration, repeats);
            }
            before = after;
        }
    }
}
