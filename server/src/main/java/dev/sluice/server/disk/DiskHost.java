package dev.sluice.server.disk;

import dev.sluice.aio.threads.CallThreads;
import dev.sluice.linux.LinuxPlatform;
import dev.sluice.metrics.SluiceMetrics;
import dev.sluice.pipeline.BlockPipeline;
import dev.sluice.pipeline.IoLoop;
import dev.sluice.server.cli.Commands;
import dev.sluice.server.cli.LaunchException;
import dev.sluice.server.systemd.ActivatedSockets;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CopyOnWriteArrayList;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The disks of a process and the loops that they share.
 *
 * <p><b>Threading:</b> any thread but a loop's; changes run one at a time. <b>Ownership:</b> the loops and every disk are this object's.
 * <b>Failure:</b> a disk that cannot be opened leaves the others unchanged.
 */
public final class DiskHost implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(DiskHost.class);

    private final List<IoLoop> loops;
    /** Why these loops were chosen; logged when the first disk is served. */
    private final List<String> choice;

    private final ActivatedSockets sockets;
    /** Replaced as a whole, so that readers need no monitor. */
    private volatile List<Disk> disks = List.of();
    private final List<DiskListener> listeners = new CopyOnWriteArrayList<>();
    private @Nullable StatsFile stats;
    private Observation observation = Observation.NONE;
    private volatile Duration drainTimeout = BlockPipeline.DEFAULT_DRAIN_LIMIT;
    private @Nullable CallThreads changes;
    private boolean closed;
    private volatile long failedAtDrainLimit;

    private DiskHost(List<IoLoop> loops, List<String> choice, ActivatedSockets sockets) {
        this.loops = loops;
        this.choice = choice;
        this.sockets = sockets;
    }

    /**
     * Starts the loops, without disks.
     *
     * @param sockets for disks whose endpoints name one; stays the caller's, who closes it later
     * @throws IOException if this machine does not support such loops, or one cannot be started
     * @throws LaunchException if a loop may not run on its CPU
     */
    public static DiskHost start(LoopSpec loops, ActivatedSockets sockets) throws IOException {
        LinuxPlatform.ensureAvailable();
        List<String> choice = new ArrayList<>();
        return new DiskHost(loops.start(choice::add), choice, sockets);
    }

    /**
     * Opens a disk and serves it.
     *
     * @throws IOException if its image or its endpoint cannot be opened, or if there is no such backend or stage
     * @throws LaunchException if there is another disk of its name
     */
    public synchronized Disk add(DiskSpec spec) throws IOException {
        Disk disk = open(spec);
        serve(disk);
        return disk;
    }

    /**
     * Serves these disks, each until its server terminates by itself: then the disk is removed, so that its image is free and a change can open it again. All
     * of them are opened before anybody can connect to the first; if one cannot be opened or served, none is.
     *
     * @throws IOException as {@link #add}
     * @throws LaunchException if a disk cannot be served; the message names it
     */
    public synchronized void addAll(List<DiskSpec> specs) throws IOException {
        List<Disk> opened = new ArrayList<>();
        String name = "";
        try {
            for (DiskSpec spec : specs) {
                name = spec.name();
                opened.add(open(spec));
            }
            for (Disk disk : opened) {
                name = disk.name();
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

    private Disk open(DiskSpec spec) throws IOException {
        if (closed) {
            throw new IOException(spec.name() + ": the process is terminating");
        }
        if (disks.stream().anyMatch(disk -> disk.name().equals(spec.name()))) {
            throw new LaunchException("there are two disks named " + spec.name() + ": give each a name of its own");
        }
        return Disk.open(spec, loops, sockets, observation, drainTimeout);
    }

    private void serve(Disk disk) throws IOException {
        try {
            disk.start();
        } catch (Throwable failed) {
            disk.close();
            throw failed;
        }
        choice.forEach(LOG::warn);
        choice.clear();
        List<Disk> more = new ArrayList<>(disks);
        more.add(disk);
        disks = List.copyOf(more);
        listeners.forEach(listener -> listener.diskAdded(disk));
    }

    private void serveUntilItEnds(Disk disk) throws IOException {
        CallThreads thread = changesThread();
        serve(disk);
        disk.whenEnded(() -> {
            boolean _ = thread.run(() -> removeAtEnd(disk));
        });
    }

    /**
     * The one thread of this process on which disks change while they are served: there before the first of them is.
     *
     * @throws IOException with one line if it cannot be started
     */
    synchronized CallThreads changesThread() throws IOException {
        CallThreads started = changes;
        if (started == null) {
            started = CallThreads.start("sluice-changes-", 1);
            changes = started;
        }
        return started;
    }

    /** What {@link #change} did, by names of disks; failures are those that {@link #addAll} throws. */
    public record Changes(List<String> added, List<String> removed, List<String> unchanged, Map<String, Exception> failed) {}

    /**
     * Serves exactly these disks. A disk whose description has not changed is not touched; one whose description has is closed and reopened. A disk
     * that cannot be opened does not affect the others: the next change tries again.
     *
     * @throws IOException if a description is invalid in a way that shows before anything is closed; then nothing has changed
     */
    public synchronized Changes change(List<DiskSpec> wanted) throws IOException {
        for (DiskSpec spec : wanted) {
            if (disks.stream().noneMatch(disk -> disk.spec().equals(spec))) {
                check(spec);
            }
        }
        Changes changes = new Changes(new ArrayList<>(), new ArrayList<>(), new ArrayList<>(), new LinkedHashMap<>());
        for (Disk disk : disks) {
            if (wanted.contains(disk.spec())) {
                changes.unchanged.add(disk.name());
            } else {
                changes.removed.add(disk.name());
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
            Disk.check(spec, loops);
        } catch (IOException | IllegalArgumentException wrong) {
            throw new IOException("disk " + spec.name() + ": " + wrong.getMessage(), wrong);
        }
    }

    private void remove(Disk disk) {
        disk.close();
        List<Disk> fewer = new ArrayList<>(disks);
        if (fewer.remove(disk)) {
            disks = List.copyOf(fewer);
            listeners.forEach(listener -> listener.diskRemoved(disk));
        }
    }

    private void removeAtEnd(Disk disk) {
        try {
            disk.awaitEnd();
        } catch (IOException failed) {
            LOG.error("disk {}: no longer served: {}", disk.name(), failed.getMessage());
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

    /** Notifies a listener of the disks that there are, and of all changes from now on. */
    synchronized void listen(DiskListener listener) {
        listeners.add(listener);
        disks.forEach(listener::diskAdded);
    }

    /** Ends what {@link #listen} began. Does not wait for a change in progress. */
    void unlisten(DiskListener listener) {
        listeners.remove(listener);
    }

    /** Sets the observations of disks added from now on; the default is none. */
    public synchronized void observe(Observation observation) {
        this.observation = observation;
    }

    /** Sets how long to wait for requests that stages hold when a disk or its guest stops, for disks added from now on without a drain timeout of their own. */
    public void drainTimeout(Duration timeout) {
        drainTimeout = timeout;
    }

    /** The longest drain timeout of the disks: after it, {@link #close} only waits for the kernel. */
    public Duration longestDrainTimeout() {
        Duration longest = drainTimeout;
        for (Disk disk : disks) {
            Double seconds = disk.spec().drainTimeoutSeconds();
            if (seconds != null && DiskSpec.drainTimeout(seconds).compareTo(longest) > 0) {
                longest = DiskSpec.drainTimeout(seconds);
            }
        }
        return longest;
    }

    /** {@link #close}, in progress or later, no longer waits for requests that stages hold: they fail. Does not block. */
    public void cutDrainShort() {
        disks.forEach(Disk::cutDrainShort);
    }

    /** Requests that {@link #close} failed because a stage held them too long. */
    public long failedAtDrainLimit() {
        return failedAtDrainLimit;
    }

    /** Starts appending statistics of all disks to a file. */
    public synchronized void writeStats(Path file, Duration interval) throws IOException {
        stats = StatsFile.start(file, interval, loops, this::metrics);
    }

    /**
     * Call this once everything requested is served: collects the garbage of the start-up before there is load. Otherwise the collector would copy it
     * in the middle of requests (docs/decisions/014-serial-gc.md).
     */
    public void started() {
        TaskLimit.warning().ifPresent(LOG::warn);
        System.gc();
    }

    public List<IoLoop> loops() {
        return loops;
    }

    /** The current disks, in the order in which they were added. */
    public List<Disk> disks() {
        return disks;
    }

    private List<SluiceMetrics> metrics() {
        return disks.stream().map(Disk::metrics).toList();
    }

    /** Drains and closes the disks, all at once, then stops the loops. Idempotent: a second caller waits for the first. */
    @Override
    @SuppressWarnings("NonAtomicVolatileUpdate") // under the monitor
    public synchronized void close() {
        closed = true;
        List<Disk> closing = disks;
        closeAll(closing);
        for (Disk disk : closing) {
            failedAtDrainLimit += disk.failedAtDrainLimit();
        }
        if (stats != null) {
            stats.close();
        }
        if (changes != null) {
            changes.close();
        }
        loops.forEach(IoLoop::close);
        disks = List.of();
    }

    /** Each may take as long as its drain timeout, so concurrently; one after the other if no threads can be started. */
    private static void closeAll(List<Disk> closing) {
        List<CompletableFuture<Void>> ends = new ArrayList<>();
        for (Disk disk : closing) {
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

    /** False at a limit of tasks: then nothing has happened. */
    private static boolean closeOnThread(Disk disk, CompletableFuture<Void> end) {
        try {
            Thread.ofPlatform().name("sluice-close " + disk.name()).start(() -> close(disk, end));
            return true;
        } catch (OutOfMemoryError noThread) {
            return false;
        }
    }

    private static void close(Disk disk, CompletableFuture<Void> end) {
        try {
            disk.close();
            end.complete(null);
        } catch (Throwable failed) {
            end.completeExceptionally(failed);
        }
    }
}
