package dev.sluice.examples.disk;

import dev.sluice.linux.LinuxPlatform;
import dev.sluice.metrics.SluiceMetrics;
import dev.sluice.pipeline.IoLoop;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The disks of a process and the loops that they share.
 *
 * <p><b>Threading:</b> any thread but a loop's; changes come one at a time. <b>Ownership:</b> the loops and every disk are this object's.
 * <b>Failure:</b> a disk that cannot be opened leaves the others as they are.
 */
public final class DiskHost implements AutoCloseable {
    private final List<IoLoop> loops;
    /** Replaced as a whole, so that whoever only looks needs no monitor. */
    private volatile List<ServedDisk> disks = List.of();
    private @Nullable StatsFile stats;
    private Observation observation = Observation.NONE;
    private boolean closed;

    private DiskHost(List<IoLoop> loops) {
        this.loops = loops;
    }

    /**
     * Starts the loops; there are no disks yet.
     *
     * @throws IOException where a loop cannot be started
     * @throws LaunchException where this machine cannot have such loops
     */
    public static DiskHost start(LoopSpec loops) throws IOException {
        LinuxPlatform.ensureAvailable();
        return new DiskHost(loops.start());
    }

    /**
     * Opens a disk and serves it.
     *
     * @throws IOException where its image or its endpoint cannot be opened
     * @throws LaunchException where there is another disk of its name, or no such backend or stage
     */
    public synchronized ServedDisk add(DiskSpec spec) throws IOException {
        if (closed) {
            throw new IOException(spec.name() + ": the process is ending");
        }
        if (disks.stream().anyMatch(disk -> disk.spec().name().equals(spec.name()))) {
            throw new LaunchException("there are two disks named " + spec.name() + ": give each a name of its own");
        }
        ServedDisk disk = ServedDisk.open(spec, loops, observation);
        try {
            disk.start();
        } catch (Throwable failed) {
            disk.close();
            throw failed;
        }
        List<ServedDisk> more = new ArrayList<>(disks);
        more.add(disk);
        disks = List.copyOf(more);
        return disk;
    }

    /** What is told of the requests of disks that are added from now on; nothing unless this is called. */
    public synchronized void observe(Observation observation) {
        this.observation = observation;
    }

    /** Appends statistics of all disks to a file from now on. */
    public synchronized void writeStats(Path file, Duration interval) throws IOException {
        stats = StatsFile.start(file, interval, loops, this::metrics);
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

    /** Drains and closes the disks, then ends the loops. Idempotent: a second caller waits for the first. */
    @Override
    public synchronized void close() {
        closed = true;
        disks.forEach(ServedDisk::close);
        if (stats != null) {
            stats.close();
        }
        loops.forEach(IoLoop::close);
    }
}
