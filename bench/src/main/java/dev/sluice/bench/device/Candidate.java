package dev.sluice.bench.device;

import java.io.IOException;

/** A way to read and write a device. Each round opens the device again and leaves nothing behind. */
interface Candidate {

    /** For tables and JSON. */
    String name();

    /**
     * Runs one round.
     *
     * @throws IOException if the device cannot be opened, or the candidate stopped early
     */
    DeviceFigures run(DevicePlan plan) throws IOException, InterruptedException;
}
