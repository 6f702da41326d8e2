package dev.sluice.pipeline.testing;

/** How long tests wait for what has to happen: their limits, times {@code -Dsluice.patience=N} on a machine that is so much slower, as an emulator is. */
public final class Patience {
    private static final int TIMES = Integer.getInteger("sluice.patience", 1);

    private Patience() {}

    public static int seconds(int limit) {
        return limit * TIMES;
    }

    public static int millis(int limit) {
        return limit * TIMES;
    }
}
