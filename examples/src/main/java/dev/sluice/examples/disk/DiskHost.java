package dev.sluice.examples.disk;

import dev.sluice.examples.cli.Commands;
import dev.sluice.examples.cli.LaunchException;
import dev.sluice.examples.systemd.ActivatedSockets;
import dev.sluice.linux.LinuxPlatform;
import dev.sluice.metrics.SluiceMetrics;
import dev.sluice.pipeline.BlockPipeline;
import dev.sluice.pipeline.IoLoop;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The disks of a process and the loops that they share.
 *
 * <p><b>Threading:</b> any thread but a loop's; changes come one at a time. <b>Ownership:</b> the loops and every disk are this object's.
 * <b>Failure:</b> a disk that cannot be opened leaves the others as they are.
 */
public final class DiskHost implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(DiskHost.class);

    private final List<IoLoop> loops;
    /** Why these loops and no better; told when the first disk is served. */
    private final List<String> choice;

    private final ActivatedSockets sockets;
    /** Replaced as a whole, so that whoever only looks needs no monitor. */
    private volatile List<ServedDisk> disks = List.of();
    private @Nullable StatsFile stats;
    private Observation observation = Observation.NONE;
    private volatile Duration drainTimeout = BlockPipeline.DEFAULT_DRAIN_LIMIT;
    private boolean closed;
    private volatile long failedAtDrainLimit;

    private DiskHost(List<IoLoop> loops, List<String> choice, ActivatedSockets sockets) {
        this.loops = loops;
        this.choice = choice;
        this.sockets = sockets;
    }

    /**
     * Starts the loops; there are no disks yet.
     *
     * @param sockets for the disks whose endpoints name one; stays the caller's, who closes it later
     * @throws IOException where this machine cannot have such loops, or one cannot be started
     * @throws LaunchException where a loop may not run on its CPU
     */
    public static DiskHost start(LoopSpec loops, ActivatedSockets sockets) throws IOException {
        LinuxPlatform.ensureAvailable();
        List<String> choice = new ArrayList<>();
        return new DiskHost(loops.start(choice::add), choice, sockets);
    }

    /**
     * Opens a disk and serves it.
     *
     * @throws IOException where its image or its endpoint cannot be opened, or where there is no such backend or stage
     * @throws LaunchException where there is another disk of its name
     */
    public synchronized ServedDisk add(DiskSpec spec) throws IOException {
        ServedDisk disk = open(spec);
        serve(disk);
        return disk;
    }

    /**
     * Serves these disks, each until its server ends by itself: then it is taken away, so that its image is free and a change can open it again. All of
     * them are opened before anybody can connect to the first; where one cannot be opened or served, none is.
     *
     * @throws IOException as {@link #add}
     * @throws LaunchException where a disk cannot be had, which it names
     */
    public synchronized void addAll(List<DiskSpec> specs) throws IOException {
        List<ServedDisk> opened = new ArrayList<>();
        String name = "";
        try {
            for (DiskSpec spec : specs) {
                name = spec.name();
                opened.add(open(spec));
            }
            for (ServedDisk disk : opened) {
                name = disk.spec().name();
                serveUntilItEnds(disk);
            }
        } catch (Throwable failed) {
            opened.forEach(this::remove);
            if (Commands.isForPeople(failed)) {
                throw new LaunchException("disk " + name + ": " + failed.getMessage(), failed);
            }
            throw failed;
        }
    }

    private ServedDisk open(DiskSpec spec) throws IOException {
        if (closed) {
            throw new IOException(spec.name() + ": the process is ending");
        }
        if (disks.stream().anyMatch(disk -> disk.spec().name().equals(spec.name()))) {
            throw new LaunchException("there are two disks named " + spec.name() + ": give each a name of its own");
        }
        return ServedDisk.open(spec, loops, sockets, observation, drainTimeout);
    }

    private void serve(ServedDisk disk) throws IOException {
        try {
            disk.start();
        } catch (Throwable failed) {
            disk.close();
            throw failed;
        }
        choice.forEach(LOG::warn);
        choice.clear();
        List<ServedDisk> more = new ArrayList<>(disks);
        more.add(disk);
        disks = List.copyOf(more);
    }

    private void serveUntilItEnds(ServedDisk disk) throws IOException {
        serve(disk);
        try {
            // A thread of its own from now on: a virtual one needs a carrier that can be had when the server ends, and that server waits for it.
            Thread.ofPlatform().daemon().name("sluice-end-of " + disk.spec().name()).start(() -> removeAtEnd(disk));
        } catch (OutOfMemoryError refused) {
            remove(disk);
            throw new IOException("cannot start a thread for the disk (" + refused.getMessage() + "): raise the limit of tasks (TasksMax=, pids.max, ulimit -u)", refused);
        }
    }

    /** What {@link #change} did, by names of disks; failures as {@link #addAll} throws them. */
    public record Changes(List<String> added, List<String> removed, List<String> unchanged, Map<String, Exception> failed) {}

    /**
     * Serves these disks and no others. A disk whose description has not changed is not touched; one whose has is closed and opened again. One that
     * cannot be opened does not stop the others: the next change tries again.
     *
     * @throws IOException where a description is wrong in what can be told before anything is closed; then nothing has changed
     */
    public synchronized Changes change(List<DiskSpec> wanted) throws IOException {
        for (DiskSpec spec : wanted) {
            if (disks.stream().noneMatch(disk -> disk.spec().equals(spec))) {
                check(spec);
            }
        }
        Changes changes = new Changes(new ArrayList<>(), new ArrayList<>(), new ArrayList<>(), new LinkedHashMap<>());
        for (ServedDisk disk : disks) {
            if (wanted.contains(disk.spec())) {
                changes.unchanged.add(disk.spec().name());
            } else {
                changes.removed.add(disk.spec().name());
                remove(disk);
            }
        }
        for (DiskSpec spec : wanted) {
            if (!changes.unchanged.contains(spec.name())) {
                try {
                    addAll(List.of(spec));
                    changes.added.add(spec.name());
                } catch (IOException | RuntimeException failed) {
                    changes.failed.put(spec.name(), failed);
                }
            }
        }
        return changes;
    }

    private void check(DiskSpec spec) throws IOException {
        try {
            ServedDisk.check(spec, loops);
        } catch (IOException | IllegalArgumentException wrong) {
            throw new IOException("disk " + spec.name() + ": " + wrong.getMessage(), wrong);
        }
    }

    private void remove(ServedDisk disk) {
        disk.close();
        List<ServedDisk> fewer = new ArrayList<>(disks);
        fewer.remove(disk);
        disks = List.copyOf(fewer);
    }

    private void removeAtEnd(ServedDisk disk) {
        try {
            disk.server().awaitEnd();
        } catch (IOException failed) {
            LOG.error("disk {} is not served any more: {}", disk.spec().name(), failed.getMessage());
        } catch (InterruptedException ended) {
            Thread.currentThread().interrupt();
            return;
        }
        synchronized (this) {
            if (disks.contains(disk)) {
                remove(disk);
            }
        }
    }

    /** What is told of the requests of disks that are added from now on; nothing unless this is called. */
    public synchronized void observe(Observation observation) {
        this.observation = observation;
    }

    /** How long the requests that stages hold are waited for when a disk or its guest stops, for disks that are added from now on and do not say it themselves. */
    public void drainTimeout(Duration timeout) {
        drainTimeout = timeout;
    }

    /** The longest drain timeout of the disks: after it, {@link #close} waits for nothing but what the kernel has. */
    public Duration longestDrainTimeout() {
        Duration longest = drainTimeout;
        for (ServedDisk disk : disks) {
            Double seconds = disk.spec().drainTimeoutSeconds();
            if (seconds != null && DiskSpec.drainTimeout(seconds).compareTo(longest) > 0) {
                longest = DiskSpec.drainTimeout(seconds);
            }
        }
        return longest;
    }

    /** {@link #close}, running or to come, waits no longer for requests that stages hold: they fail. Waits for nothing itself. */
    public void cutDrainShort() {
        disks.forEach(ServedDisk::cutDrainShort);
    }

    /** Requests that {@link #close} has failed because a stage held them too long. */
    public long failedAtDrainLimit() {
        return failedAtDrainLimit;
    }

    /** Appends statistics of all disks to a file from now on. */
    public synchronized void writeStats(Path file, Duration interval) throws IOException {
        stats = StatsFile.start(file, interval, loops, this::metrics);
    }

    /**
     * To be called when everything that was asked for is served: collects what starting has made, while hardly anybody waits. It would be copied in the
     * midst of requests otherwise (docs/decisions/014-serial-gc.md).
     */
    public void started() {
        TaskLimit.warning().ifPresent(LOG::warn);
        System.gc();
    }

    public List<IoLoop> loops() {
        return loops;
    }

    /** The disks as they are now, in the order of adding. */
    public List<ServedDisk> disks() {
        return disks;
    }

    private List<SluiceMetrics> metrics() {
        return disks.stream().map(ServedDisk::metrics).toList();
    }

    /** Drains and closes the disks, all at once, then ends the loops. Idempotent: a second caller waits for the first. */
    @Override
    @SuppressWarnings("NonAtomicVolatileUpdate") // under the monitor
    public synchronized void close() {
        closed = true;
        List<ServedDisk> closing = disks;
        closeAll(closing);
        for (ServedDisk disk : closing) {
            failedAtDrainLimit += disk.failedAtDrainLimit();
        }
        if (stats != null) {
            stats.close();
        }
        loops.forEach(IoLoop::close);
        disks = List.of();
    }

    /** Each may take as long as its drain timeout, so all at once; one after the other where no threads can be had. */
    private static void closeAll(List<ServedDisk> closing) {
        List<CompletableFuture<Void>> ends = new ArrayList<>();
        for (ServedDisk disk : closing) {
            CompletableFuture<Void> end = new CompletableFuture<>();
            ends.add(end);
            if (ends.size() == closing.size() || !closeOnThread(disk, end)) {
                close(disk, end);
            }
        }
        try {
            CompletableFuture.allOf(ends.toArray(CompletableFuture[]::new)).join();
        } catch (CompletionException failed) {
            throw failed.getCause() instanceof RuntimeException cause ? cause : failed;
        }
    }

    /** False at a limit of tasks: nothing has happened then. */
    private static boolean closeOnThread(ServedDisk disk, CompletableFuture<Void> end) {
        try {
            Thread.ofPlatform().name("sluice-close " + disk.spec().name()).start(() -> close(disk, end));
            return true;
        } catch (OutOfMemoryError noThread) {
            return false;
        }
    }

    private static void close(ServedDisk disk, CompletableFuture<Void> end) {
        try {
            disk.close();
            end.complete(null);
        } catch (Throwable failed) {
            end.completeExceptionally(failed);
        }
    }
}
