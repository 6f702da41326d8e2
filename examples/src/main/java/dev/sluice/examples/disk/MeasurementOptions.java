package dev.sluice.examples.disk;

import dev.sluice.pipeline.BlockRequest;
import dev.sluice.pipeline.Shortcuts;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** The options that are for measuring only. Filled by picocli, then read. */
public final class MeasurementOptions {
    @Option(names = "--size", paramLabel = "BYTES", description = "Size of the disk of --backend null, which has no image: 512, 4k, 2G.")
    private @Nullable String size;

    @Option(names = "--read-zeroes", description = "With --backend null: reads give zeroes instead of leaving the guest's buffers as they are.")
    private boolean readZeroes;

    @Option(names = "--no-bypass", description = "For measuring: every request but GET_ID passes every stage and gets its Mono.")
    private boolean noBypass;

    @Option(names = "--no-pool", description = "For measuring: every request is a new object with new iovecs.")
    private boolean noPool;

    @Option(names = "--no-batch", description = "For measuring: one request a queue and tick, each answer shown and signalled by itself.")
    private boolean noBatch;

    @Option(names = "--operators", paramLabel = "N", defaultValue = "0", description = "For measuring: N Flux operators that do nothing see every request, 0 to 64.")
    private int operators;

    @SuppressWarnings("NullAway.Init") // picocli sets the fields
    public MeasurementOptions() {}

    /**
     * What the options say.
     *
     * @throws IllegalArgumentException naming the value that cannot be
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
            // 0 is the record's word for a disk with an image, not a person's.
            throw new IllegalArgumentException("--size " + text + " is not a positive multiple of " + BlockRequest.SECTOR_BYTES);
        }
        return bytes;
    }
}
