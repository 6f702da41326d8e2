package dev.sluice.server.disk;

import dev.sluice.pipeline.IoLoop;
import dev.sluice.pipeline.IoLoopProvider;
import dev.sluice.pipeline.Providers;
import dev.sluice.pipeline.Ranges;
import dev.sluice.server.cli.LaunchException;
import java.io.IOException;
import java.util.List;
import java.util.function.Consumer;

/**
 * The threads that serve a process's disks. Immutable.
 *
 * @param count number of loops, 1 to 64; queue i of a disk is served by loop i modulo this number, unless its description sets it
 * @param cpus CPUs that the loops are pinned to, round-robin, at most as many as there are loops; empty if they are not pinned
 * @param pollMaxNanos maximum time that a loop spins before it sleeps, from 0 to a second
 * @param kind name of an {@link IoLoopProvider} whose loops can serve guests, {@code io_uring} or {@code epoll}, or {@value Providers#AUTO} for the best that
 * works
 */
public record LoopSpec(int count, List<Integer> cpus, long pollMaxNanos, String kind) {
    static final int MAX_LOOPS = 64;
    private static final long MAX_POLL_NANOS = 1_000_000_000L;

    /** One loop. */
    public static final LoopSpec DEFAULT = new LoopSpec(1, List.of(), 0);

    public LoopSpec {
        cpus = List.copyOf(cpus);
        Ranges.require("--poll-max-ns", pollMaxNanos, 0, MAX_POLL_NANOS);
        Ranges.require("number of loops", count, 1, MAX_LOOPS);
        if (cpus.size() > count) {
            throw new IllegalArgumentException("--loop-cpus names " + cpus.size() + " CPUs for " + count + (count == 1 ? " loop" : " loops")
                    + ": name one for each, or use --loops " + cpus.size());
        }
    }

    /** Loops of the kind that suits the machine. */
    public LoopSpec(int count, List<Integer> cpus, long pollMaxNanos) {
        this(count, cpus, pollMaxNanos, Providers.AUTO);
    }

    /**
     * Starts the loops. The caller owns and closes them.
     *
     * @param notice receives the line that explains why no better loops are available, if they are not the best
     * @throws LaunchException if a loop may not run on its CPU; none is left running
     * @throws IOException if this machine does not support such loops, or one cannot be started; none is left running
     */
    List<IoLoop> start(Consumer<String> notice) throws IOException {
        List<IoLoop> loops = Providers.startLoops(kind, count, (provider, number) -> provider.start("sluice-loop-" + number, pollMaxNanos), notice);
        try {
            LoopLayout.pin(loops, cpus);
        } catch (Throwable failed) {
            loops.forEach(IoLoop::close);
            throw failed;
        }
        return loops;
    }
}
