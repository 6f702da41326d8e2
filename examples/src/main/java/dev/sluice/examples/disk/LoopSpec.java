package dev.sluice.examples.disk;

import dev.sluice.aio.epoll.EpollLoop;
import dev.sluice.aio.uring.IoUringLoop;
import dev.sluice.aio.uring.IoUringLoopOptions;
import dev.sluice.examples.cli.LaunchException;
import dev.sluice.pipeline.IoLoop;
import dev.sluice.pipeline.Providers;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The threads that serve a process's disks. Immutable.
 *
 * @param count how many, 1 to 64; queue i of a disk is served by loop i modulo their number, unless it says otherwise
 * @param cpus which the loops are pinned to, one each, at most as many as there are loops, and from the first again; empty where they are not
 * @param pollMaxNanos how long a loop spins at most before it sleeps, from 0 to a second
 * @param kind {@code io_uring}, {@code epoll}, or {@code auto}: io_uring, and epoll where there is none
 */
public record LoopSpec(int count, List<Integer> cpus, long pollMaxNanos, String kind) {
    private static final String IO_URING = "io_uring";
    private static final String EPOLL = "epoll";
    static final List<String> KINDS = List.of(Providers.AUTO, IO_URING, EPOLL);
    private static final Logger LOG = LoggerFactory.getLogger(LoopSpec.class);
    static final int MAX_LOOPS = 64;
    private static final long MAX_POLL_NANOS = 1_000_000_000L;

    /** One loop. */
    public static final LoopSpec DEFAULT = new LoopSpec(1, List.of(), 0);

    public LoopSpec {
        cpus = List.copyOf(cpus);
        if (pollMaxNanos < 0 || pollMaxNanos > MAX_POLL_NANOS) {
            throw new IllegalArgumentException("--poll-max-ns " + pollMaxNanos + " is not from 0 to " + MAX_POLL_NANOS);
        }
        if (count < 1 || count > MAX_LOOPS) {
            throw new IllegalArgumentException("number of loops " + count + " is not from 1 to " + MAX_LOOPS);
        }
        if (cpus.size() > count) {
            throw new IllegalArgumentException("--loop-cpus names " + cpus.size() + " CPUs for " + count + (count == 1 ? " loop" : " loops")
                    + ": name one for each, or say --loops " + cpus.size());
        }
        if (!KINDS.contains(kind)) {
            throw new IllegalArgumentException("--loop '" + kind + "' is none of " + String.join(", ", KINDS));
        }
    }

    /** Loops of the kind that suits the machine. */
    public LoopSpec(int count, List<Integer> cpus, long pollMaxNanos) {
        this(count, cpus, pollMaxNanos, Providers.AUTO);
    }

    /**
     * Starts the loops. They are the caller's, who closes them.
     *
     * @throws LaunchException where this machine cannot have such loops
     * @throws IOException where one cannot be started; none is left running
     */
    List<IoLoop> start() throws IOException {
        boolean onRing = onRing();
        List<IoLoop> loops = new ArrayList<>();
        try {
            for (int i = 0; i < count; i++) {
                String name = "sluice-loop-" + i;
                loops.add(onRing
                        ? IoUringLoop.start(name, IoUringLoopOptions.DEFAULT.withPollMaxNanos(pollMaxNanos))
                        : EpollLoop.start(name, false, pollMaxNanos));
            }
            LoopLayout.pin(loops, cpus);
        } catch (Throwable failed) {
            loops.forEach(IoLoop::close);
            throw failed;
        }
        return List.copyOf(loops);
    }

    private boolean onRing() {
        Optional<String> noRing = kind.equals(EPOLL) ? Optional.empty() : IoUringLoop.unavailable();
        boolean onRing = !kind.equals(EPOLL) && noRing.isEmpty();
        if (kind.equals(Providers.AUTO) && !onRing) {
            LOG.warn("loops on epoll, as there is no io_uring: {}", noRing.orElse(""));
        }
        Optional<String> unavailable = kind.equals(IO_URING) ? noRing : onRing ? Optional.empty() : EpollLoop.unavailable();
        unavailable.ifPresent(why -> {
            throw new LaunchException(why);
        });
        return onRing;
    }
}
