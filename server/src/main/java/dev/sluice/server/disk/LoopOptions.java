package dev.sluice.server.disk;

import dev.sluice.pipeline.IoLoopProvider;
import dev.sluice.pipeline.Providers;
import java.util.Iterator;
import java.util.ServiceLoader;
import java.util.stream.Stream;
import picocli.CommandLine.Option;

/** The options that describe the threads of a serving process. Filled by picocli, then read. */
public final class LoopOptions {
    @Option(names = "--loops", paramLabel = "M", defaultValue = "1",
            description = "Threads that serve the queues, assigned round-robin, 1 to 64 (default: ${DEFAULT-VALUE}).")
    private int loops;

    @Option(names = "--loop-cpus", paramLabel = "LIST", defaultValue = "", description = "Pin the loops to these CPUs, one each, round-robin: 0,1 or 2-5.")
    private String loopCpus;

    @Option(names = "--poll-max-ns", paramLabel = "N", defaultValue = "0",
            description = "A loop spins for up to N nanoseconds before it sleeps (default: ${DEFAULT-VALUE}, sleep immediately).")
    private long pollMaxNanos;

    @Option(names = "--loop", paramLabel = "KIND", defaultValue = Providers.AUTO, completionCandidates = Kinds.class,
            description = "How the loops wait for events: io_uring, epoll (for --backend linux-aio or mapped), or auto (default: ${DEFAULT-VALUE}).")
    private String loop;

    /** Completion candidates for a shell: the available kinds that can serve guests. */
    static final class Kinds implements Iterable<String> {
        @Override
        public Iterator<String> iterator() {
            Stream<IoLoopProvider> found = ServiceLoader.load(IoLoopProvider.class).stream().map(ServiceLoader.Provider::get);
            Stream<String> named = found.filter(IoLoopProvider::watches).map(IoLoopProvider::name);
            return Stream.concat(Stream.of(Providers.AUTO), named).iterator();
        }
    }

    @SuppressWarnings("NullAway.Init") // picocli sets the fields
    public LoopOptions() {}

    /**
     * The loops that the options describe.
     *
     * @throws IllegalArgumentException if a value is out of range; the message names the value and its bounds
     */
    public LoopSpec spec() {
        return new LoopSpec(loops, LoopLayout.cpus(loopCpus), pollMaxNanos, loop);
    }
}
