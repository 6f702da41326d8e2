package dev.sluice.pipeline.testing;

import java.util.SplittableRandom;

/**
 * What goes wrong in a {@link SimulatedSink}, and how often. The same seed gives the same faults.
 *
 * @param seed where the faults come from; a test prints it when it fails
 * @param errorPercent requests that fail with EIO
 * @param shortPercent transfers that the "kernel" does in two pieces, a round apart, as short reads and writes are continued
 * @param delayPercent requests that take more than one round, as after EAGAIN
 * @param delayRounds most rounds that such a request takes
 * @param reordering whether requests of one batch complete in another order than they came in
 */
public record SimulatedFaults(long seed, int errorPercent, int shortPercent, int delayPercent, int delayRounds, boolean reordering) {
    /** Everything goes well. */
    public static final SimulatedFaults NONE = new SimulatedFaults(0, 0, 0, 0, 1, false);

    public SimulatedFaults {
        percent("errors", errorPercent);
        percent("short transfers", shortPercent);
        percent("delays", delayPercent);
        if (delayRounds < 1) {
            throw new IllegalArgumentException("a delay of " + delayRounds + " rounds is below 1");
        }
    }

    private static void percent(String what, int value) {
        if (value < 0 || value > 100) {
            throw new IllegalArgumentException(what + ": " + value + " percent is not from 0 to 100");
        }
    }

    /** Some of everything, in amounts that the seed decides. */
    public static SimulatedFaults some(long seed) {
        SplittableRandom random = new SplittableRandom(seed);
        return new SimulatedFaults(
                seed, random.nextInt(30), random.nextInt(50), random.nextInt(50), 1 + random.nextInt(8), random.nextBoolean());
    }

    /** Only errors: every request fails. */
    public static SimulatedFaults allFail() {
        return new SimulatedFaults(0, 100, 0, 0, 1, false);
    }
}
