package dev.sluice.examples.device;

import java.io.IOException;

/** A way to read and write a device. Each round opens the device anew and leaves nothing behind. */
interface Contender {

    /** For tables and JSON. */
    String name();

    /**
     * Runs one round.
     *
     * @throws IOException where the device cannot be opened, or the contender ended early
     */
    DeviceFigures run(DevicePlan plan) throws IOException, InterruptedException;
}
