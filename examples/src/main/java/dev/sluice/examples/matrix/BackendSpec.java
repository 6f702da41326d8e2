package dev.sluice.examples.matrix;

import java.util.List;

/** A backend as a row wants it. Equal ones are one process that several rows measure one after another. */
sealed interface BackendSpec permits SluiceSpec, StorageDaemonSpec {
    /** Sectors of the null sink, as an option of size has it. */
    String NULL_SIZE_BYTES = Long.toString(2L << 30);

    Medium medium();

    /** What to run. */
    List<String> command(Places places);

    /** What to type for the same. */
    String display();

    /** What is missing on this machine to run it, with what to do; empty where nothing is. */
    String missing();

    /** Whether it tells of itself in {@link Places#stats()}. */
    boolean hasStats();

    /** Whether the first seconds of the process are slower than the rest. */
    boolean compilesWhileRunning();

    /** About how long it takes to start and to end. */
    double startAndStopSeconds();
}
