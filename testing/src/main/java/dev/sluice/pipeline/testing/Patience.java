package dev.sluice.pipeline.testing;

/**
 * How long the contracts and loops here wait for what has to come: their limits, times {@code -Dsluice.patience=N} on a machine that is so much slower, as an
 * emulator is.
 */
final class Patience {
    private static final int TIMES = Integer.getInteger("sluice.patience", 1);

    private Patience() {}

    static int seconds(int limit) {
        return limit * TIMES;
    }
}
