package dev.sluice.bench.matrix;

import java.io.IOException;
import java.util.List;

/** The backend of a row. Rows with equal backends share a process and are measured one after another. */
sealed interface BackendSpec permits FioSpec, FloorSpec, SluiceSpec, SpdkSpec, StorageDaemonSpec {
    /** Size of the null sink, in the notation of a size option. */
    String NULL_SIZE_BYTES = Long.toString(2L << 30);

    Medium medium();

    /** The command to run. */
    List<String> command(Places places);

    /** The command as a person would type it. */
    String display();

    /** What this machine lacks to run it, with the remedy; empty if nothing is missing. */
    String missing(MatrixSettings settings);

    /** How many disks the process serves, each with a socket and, if there are several, an image of its own. */
    default int disks() {
        return 1;
    }

    /** Writes the files that the command reads. */
    default void prepare(Places places) throws IOException {}

    /** Whether it writes statistics to {@link Places#stats()}. */
    default boolean hasStats() {
        return false;
    }

    /** Whether the process is slower in its first seconds. */
    default boolean compilesWhileRunning() {
        return false;
    }

    /** Approximate time to start and to stop. */
    double startAndStopSeconds();
}
