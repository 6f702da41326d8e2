package dev.sluice.pipeline;

import java.util.ArrayList;
import java.util.List;
import java.util.function.LongSupplier;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import reactor.core.scheduler.Scheduler;
import reactor.core.scheduler.Schedulers;

/**
 * What a stage gets from the disk that it is created for: its name, the geometry below, the loops, meters, threads for blocking work, and a place
 * for close hooks.
 *
 * <p><b>Threading:</b> any thread. <b>Ownership:</b> the pipeline's; it lasts from the stage's creation until its close hooks have run. <b>Failure:</b> after
 * that {@link #blocking} and {@link #onClose} throw {@link IllegalStateException}.
 */
public final class StageContext {
    /** Threads of {@link #blocking}: enough for what a stage does beside its I/O, and no more for a disk whose stage hangs. */
    public static final int BLOCKING_THREADS = 4;
    /** Tasks that may wait for one of these threads, each; about a queue's worth of requests. */
    public static final int BLOCKING_TASKS = 256;

    private static final Logger LOG = LoggerFactory.getLogger(StageContext.class);
    private static final int BLOCKING_IDLE_SECONDS = 30;
    private static final Pattern METER_NAME = Pattern.compile("[a-z][a-z0-9]*([._][a-z0-9]+)*");

    private record Meter(String name, String description, boolean counter, LongSupplier value) {}

    private final DiskStages disk;
    private final int index;
    private final List<Meter> meters = new ArrayList<>();
    private final List<AutoCloseable> hooks = new ArrayList<>();
    private @Nullable Scheduler blocking;
    private boolean closed;

    StageContext(DiskStages disk, int index) {
        this.disk = disk;
        this.index = index;
    }

    /** The disk's name, for log lines and errors. */
    public String diskName() {
        return disk.diskName();
    }

    /** What the stage has below it, as it is now: a disk may be resized. */
    public BlockGeometry geometry() {
        return disk.geometryBelow(index);
    }

    /** The loops that serve the disk, as far as they are known: those given to the builder, and those on which a queue was connected. */
    public List<IoLoop> loops() {
        return disk.loops();
    }

    /**
     * Sub-requests with no request at hand, on a loop: to read a header while the stage is created, to synchronize a mirror. Each call makes another one, which
     * can use one buffer at a time. Buffers and sub-requests are apart from those of requests. ESHUTDOWN once the disk is being closed, which waits for what is
     * in flight.
     *
     * @param loop any that the backend can work on, such as one of {@link #loops}
     */
    public SubRequests background(IoLoop loop) {
        return new BackgroundRequests(disk, loop, index);
    }

    /**
     * Threads for work that blocks, such as a key derivation or a call to another service: {@link #BLOCKING_THREADS} threads, made when they are needed, with
     * {@link #BLOCKING_TASKS} waiting tasks each. What is scheduled beyond that is rejected, which fails the request. Disposed after the close hooks.
     */
    public synchronized Scheduler blocking() {
        checkOpen();
        Scheduler made = blocking;
        if (made == null) {
            made = Schedulers.newBoundedElastic(BLOCKING_THREADS, BLOCKING_TASKS, disk.diskName() + "-" + disk.nameOf(index), BLOCKING_IDLE_SECONDS, true);
            blocking = made;
        }
        return made;
    }

    /**
     * Publishes a counter, which Prometheus shows as {@code sluice_stage_cache_hits_total} with the names of the disk and of the stage. Before the pipeline is
     * built: metrics are bound to it after that.
     *
     * @param name lower case with dots, such as {@code cache.hits}; once per stage
     */
    public StageCounter counter(String name, String description) {
        StageCounter made = new StageCounter();
        publish(new Meter(name, description, true, made::value));
        return made;
    }

    /**
     * Publishes a value that can fall, before the pipeline is built.
     *
     * @param name lower case with dots, such as {@code cache.dirty.bytes}; once per stage
     * @param value called by any thread; does not block
     */
    public void gauge(String name, String description, LongSupplier value) {
        publish(new Meter(name, description, false, value));
    }

    private synchronized void publish(Meter added) {
        if (!METER_NAME.matcher(added.name).matches()) {
            throw new IllegalArgumentException("meter '" + added.name + "' is not made of lower-case words with dots between them");
        }
        // Most monitoring systems show dots as underscores.
        if (meters.stream().anyMatch(meter -> meter.name.replace('.', '_').equals(added.name.replace('.', '_')))) {
            throw new IllegalArgumentException("meter '" + added.name + "' exists already");
        }
        meters.add(added);
    }

    synchronized List<StageMeter> meters() {
        String stage = disk.nameOf(index);
        return meters.stream().map(meter -> new StageMeter(stage, index, meter.name, meter.description, meter.counter, meter.value)).toList();
    }

    /**
     * Has something closed when the disk is closed: once, after the last request of its queues has completed and the last sub-request has come back, in the
     * reverse order of calls; also if the creation of this stage or of one before it fails. The chain below cannot be used any more then. Runs on the thread
     * that closes the pipeline, or on one made for it if requests were in flight then. A stage may still have requests that failed under it at
     * the {@linkplain BlockPipeline.Builder#drainLimit drain limit}. What a hook throws is logged.
     */
    public synchronized void onClose(AutoCloseable hook) {
        checkOpen();
        hooks.add(hook);
    }

    private void checkOpen() {
        if (closed) {
            throw new IllegalStateException("disk " + disk.diskName() + ": stage " + disk.nameOf(index) + " has been closed");
        }
    }

    /** Runs the hooks. Idempotent. */
    void close() {
        List<AutoCloseable> toRun;
        Scheduler used;
        synchronized (this) {
            closed = true;
            toRun = List.copyOf(hooks).reversed();
            hooks.clear();
            used = blocking;
        }
        for (AutoCloseable hook : toRun) {
            try {
                hook.close();
            } catch (Throwable failed) {
                LOG.error("disk {}: stage {} failed to close", disk.diskName(), disk.nameOf(index), failed);
            }
        }
        if (used != null) {
            used.dispose();
        }
    }
}
