package dev.sluice.server.disk;

import dev.sluice.pipeline.BlockRequest;
import dev.sluice.pipeline.Shortcuts;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** Options for measuring only. Filled by picocli, then read. */
public final class MeasurementOptions {
    @Option(names = "--size", paramLabel = "BYTES", description = "Size of the disk of --backend null, which has no image: 512, 4k, 2G.")
    private @Nullable String size;

    @Option(names = "--read-zeroes", description = "With --backend null: reads return zeroes instead of leaving the guest's buffers unchanged.")
    private boolean readZeroes;

    @Option(names = "--no-bypass", description = "For measuring: every request but GET_ID passes every stage and gets its Mono.")
    private boolean noBypass;

    @Option(names = "--no-pool", description = "For measuring: every request is a new object with new iovecs.")
    private boolean noPool;

    @Option(names = "--no-batch", description = "For measuring: one request per queue and tick, each completion published and signalled separately.")
    private boolean noBatch;

    @Option(names = "--operators", paramLabel = "N", defaultValue = "0",
            description = "For measuring: N Flux operators that do nothing see every request, 0 to 64.")
    private int operators;

    @SuppressWarnings("NullAway.Init") // picocli sets the fields
    public MeasurementOptions() {}

    /**
     * Validates the options.
     *
     * @throws IllegalArgumentException if a value is invalid; the message names it
     */
    Measurement measurement() {
        return new Measurement(sizeBytes(), readZeroes, new Shortcuts(!noBypass, !noPool, !noBatch), operators);
    }

    private long sizeBytes() {
        String text = size;
        if (text == null) {
            return 0;
        }
        long bytes = ByteSize.parse("--size", text);
        if (bytes <= 0 || bytes % BlockRequest.SECTOR_BYTES != 0) {
            // 0 means a disk with an image in the record; on the command line it is an error.
            throw new IllegalArgumentException("--size " + text + " is not a positive multiple of " + BlockRequest.SECTOR_BYTES);
        }
        return bytes;
    }
}
