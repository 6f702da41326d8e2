package dev.sluice.examples.disk;

import picocli.CommandLine.Option;

/** The options that describe the threads of a serving process. Filled by picocli, then read. */
public final class LoopOptions {
    @Option(names = "--loops", paramLabel = "M", defaultValue = "1", description = "Threads that serve the queues, in turns, 1 to 64 (default: ${DEFAULT-VALUE}).")
    private int loops;

    @SuppressWarnings("NullAway.Init") // picocli sets the fields
    public LoopOptions() {}

    /**
     * The loops that the options describe.
     *
     * @throws IllegalArgumentException naming the value and its bounds
     */
    public LoopSpec spec() {
        return new LoopSpec(loops);
    }
}
