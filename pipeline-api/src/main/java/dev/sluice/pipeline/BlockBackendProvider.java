package dev.sluice.pipeline;

import java.io.IOException;
import java.util.List;
import java.util.Optional;

/** A kind of backend, found by name through {@link java.util.ServiceLoader}. Stateless; any thread. */
public interface BlockBackendProvider {

    /** The name behind {@code --backend}, for instance {@code io_uring}. */
    String name();

    /**
     * Rank of this kind where {@code auto} chooses: of those that work here the highest is taken. 0, the default, comes after all that Sluice brings along.
     */
    default int preference() {
        return 0;
    }

    /** Why this kind cannot work on this machine, with what to do about it; empty where it can. */
    Optional<String> unavailable();

    /** Why this kind cannot work on this machine as these options ask for it: there may be too little left of what the machine has. */
    default Optional<String> unavailable(BackendOptions options) {
        return unavailable();
    }

    /** Names of the loops that it works on, the best first; empty where any will do. */
    default List<String> loops() {
        return List.of();
    }

    /**
     * Opens an image.
     *
     * @throws IOException with one line that says which call failed on which path, the errno, and what the person can do
     */
    BlockBackend open(BackendOptions options) throws IOException;
}
