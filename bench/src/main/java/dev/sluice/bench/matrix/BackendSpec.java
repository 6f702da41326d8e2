package dev.sluice.bench.matrix;

import java.util.List;

/** The backend of a row. Rows with equal backends share a process and are measured one after another. */
sealed interface BackendSpec permits SluiceSpec, StorageDaemonSpec {
    /** Size of the null sink, in the notation of a size option. */
    String NULL_SIZE_BYTES = Long.toString(2L << 30);

    Medium medium();

    /** The command to run. */
    List<String> command(Places places);

    /** The command as a person would type it. */
    String display();

    /** What this machine lacks to run it, with the remedy; empty if nothing is missing. */
    String missing();

    /** Whether it writes statistics to {@link Places#stats()}. */
    boolean hasStats();

    /** Whether the process is slower in its first seconds. */
    boolean compilesWhileRunning();

    /** Approximate time to start and to stop. */
    double startAndStopSeconds();
}
