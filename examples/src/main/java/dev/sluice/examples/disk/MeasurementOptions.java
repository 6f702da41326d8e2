package dev.sluice.examples.disk;

import dev.sluice.pipeline.Shortcuts;
import java.util.Locale;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** The options that are for measuring only. Filled by picocli, then read. */
public final class MeasurementOptions {
    private static final String UNITS = "kmgt";

    @Option(names = "--size", paramLabel = "BYTES", description = "Size of the disk of --backend null, which has no image: 512, 4k, 2G.")
    private @Nullable String size;

    @Option(names = "--read-zeroes", description = "With --backend null: reads give zeroes instead of leaving the guest's buffers as they are.")
    private boolean readZeroes;

    @Option(names = "--no-bypass", description = "For measuring: every request passes every stage and gets its Mono.")
    private boolean noBypass;

    @Option(names = "--no-pool", description = "For measuring: every request is a new object with new iovecs.")
    private boolean noPool;

    @Option(names = "--no-batch", description = "For measuring: one request a queue and tick, each answer shown and signalled by itself.")
    private boolean noBatch;

    @SuppressWarnings("NullAway.Init") // picocli sets the fields
    public MeasurementOptions() {}

    /**
     * What the options say.
     *
     * @throws IllegalArgumentException naming the value that cannot be
     */
    Measurement measurement() {
        String text = size;
        return new Measurement(text == null ? 0 : bytes(text), readZeroes, new Shortcuts(!noBypass, !noPool, !noBatch));
    }

    /** 512, 4k, 1m, 2G. */
    private static long bytes(String text) {
        String number = text.toLowerCase(Locale.ROOT).strip();
        int unit = number.isEmpty() ? -1 : UNITS.indexOf(number.charAt(number.length() - 1));
        try {
            long value = Long.parseLong(unit < 0 ? number : number.substring(0, number.length() - 1));
            return Math.multiplyExact(value, 1L << (10 * (unit + 1)));
        } catch (ArithmeticException | NumberFormatException wrong) {
            throw new IllegalArgumentException("--size '" + text + "' is not a number of bytes such as 512, 4k, 1m or 2G", wrong);
        }
    }
}
