package dev.sluice.bench.ring;

/**
 * The round trip of a cache line between the two CPUs of a measurement, before and after it. Immutable.
 *
 * @param beforeNanos before
 * @param afterNanos after
 */
public record Calibration(double beforeNanos, double afterNanos) {
    /** A change by more than this factor is a change within one placement. */
    private static final double STEADY_FACTOR = 1.5;

    /** The mean of both ends. */
    public double nanos() {
        return (beforeNanos + afterNanos) / 2;
    }

    /** Whether both ends are the same placement with about the same round trip. */
    public boolean steady() {
        return Placement.of(beforeNanos) == Placement.of(afterNanos)
                && Math.max(beforeNanos, afterNanos) <= STEADY_FACTOR * Math.min(beforeNanos, afterNanos);
    }

    /** The placement of the figure between its ends; {@link Placement#BETWEEN} if it changed. */
    public Placement placement() {
        return steady() ? Placement.of(nanos()) : Placement.BETWEEN;
    }
}
