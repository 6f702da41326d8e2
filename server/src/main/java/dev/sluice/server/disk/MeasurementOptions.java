package dev.sluice.server.disk;

import dev.sluice.pipeline.BlockRequest;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** Options for measuring only. Filled by picocli, then read. */
public final class MeasurementOptions {
    @Option(names = "--size", paramLabel = "BYTES", description = "Size of the disk of --backend null, which has no image: 512, 4k, 2G.")
    private @Nullable String size;

    @Option(names = "--read-zeroes", description = "With --backend null: reads return zeroes instead of leaving the guest's buffers unchanged.")
    private boolean readZeroes;

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
        return new Measurement(sizeBytes(), readZeroes, operators);
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
