package dev.sluice.pipeline;

import java.io.IOException;
import java.util.Optional;

/** A kind of loop, found by name through {@link java.util.ServiceLoader}. Stateless; any thread. */
public interface IoLoopProvider {

    /** The name behind {@code --loop}, for instance {@code io_uring}. */
    String name();

    /**
     * Rank of this kind where {@code auto} chooses: of those that work here the highest is taken. 0, the default, comes after all that Sluice brings along.
     */
    default int preference() {
        return 0;
    }

    /** Why this kind cannot work on this machine, with what to do about it; empty where it can. */
    Optional<String> unavailable();

    /** Whether its loops can watch file descriptors ({@link IoLoop#onReadable}), without which they serve no guest. */
    default boolean watches() {
        return true;
    }

    /** Starts a loop that sleeps as soon as there is nothing to do, as {@link #start(String, long)} does. */
    default IoLoop start(String name) throws IOException {
        return start(name, 0);
    }

    /**
     * Starts a loop on a daemon thread; the caller owns it and closes it.
     *
     * @param name of the loop and its thread
     * @param pollMaxNanos how long it spins at most before it sleeps; one that watches nothing sleeps at once
     * @throws IOException with one line that says which call failed, the errno, and what the person can do
     */
    IoLoop start(String name, long pollMaxNanos) throws IOException;
}
