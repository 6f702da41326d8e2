package dev.sluice.server.disk;

import dev.sluice.aio.nullbackend.NullBackend;
import dev.sluice.linux.UnixSocket;
import dev.sluice.metrics.SluiceMetrics;
import dev.sluice.pipeline.BlockBackend;
import dev.sluice.pipeline.BlockGeometry;
import dev.sluice.pipeline.BlockPipeline;
import dev.sluice.pipeline.FrontEnd;
import dev.sluice.pipeline.FrontEndObserver;
import dev.sluice.pipeline.IoLoop;
import dev.sluice.pipeline.LogText;
import dev.sluice.pipeline.OnLoop;
import dev.sluice.pipeline.PipelineObserver;
import dev.sluice.pipeline.Providers;
import dev.sluice.server.systemd.ActivatedSockets;
import dev.sluice.virtio.vhostuser.VhostUserServer;
import dev.sluice.virtio.vhostuser.VhostUserServerBuilder;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.RejectedExecutionException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A disk that matches its description, on given loops: a backend, a pipeline and the front ends that bring requests.
 *
 * <p><b>Threading:</b> any thread but a loop's. <b>Ownership:</b> the image, the pipeline and the server are this object's; the loops are the caller's,
 * may serve other disks as well, and outlive it. <b>Failure:</b> {@link #open} and {@link #start} throw an exception with one line that contains the
 * remedy, and leave nothing behind once {@link #close} was called.
 */
public final class Disk implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(Disk.class);
    private static final int NULL_SINK_CAPACITY = 4096;

    private final DiskSpec spec;
    private final List<IoLoop> loops;
    private final BlockBackend backend;
    /** Why this backend was chosen; logged when the disk is served. */
    private final List<String> choice;
    private final BlockPipeline pipeline;
    private final VhostUserServer server;
    private final SluiceMetrics metrics;

    private Disk(
            DiskSpec spec,
            List<IoLoop> loops,
            BlockBackend backend,
            List<String> choice,
            BlockPipeline pipeline,
            VhostUserServer server,
            SluiceMetrics metrics) {
        this.spec = spec;
        this.loops = loops;
        this.backend = backend;
        this.choice = choice;
        this.pipeline = pipeline;
        this.server = server;
        this.metrics = metrics;
    }

    /**
     * Opens the image, locks it and assembles the disk; nobody can connect before {@link #start}.
     *
     * @param sockets the sockets passed by the service manager, for endpoints that name one
     * @param observation the observations that its requests cause
     * @param drainTimeout how long to wait for requests that stages hold, unless the description sets it
     * @throws IOException if the image cannot be opened, or if there is no such backend or stage, or it does not work here
     */
    public static Disk open(DiskSpec spec, List<IoLoop> loops, ActivatedSockets sockets, Observation observation, Duration drainTimeout)
            throws IOException {
        requireStateDirectory(spec);
        List<String> choice = new ArrayList<>();
        BlockBackend backend = openBackend(spec, loops.getFirst().kind(), choice);
        BlockPipeline built = null;
        try {
            Double drainSeconds = spec.drainTimeoutSeconds();
            SluiceMetrics metrics = observation.metrics(spec);
            BlockPipeline.Builder pipeline = BlockPipeline.builder().backend(backend).loops(loops)
                    .observer(observation.counted() ? metrics : PipelineObserver.NONE)
                    .diskName(spec.name())
                    .drainLimit(drainSeconds == null ? drainTimeout : DiskSpec.drainTimeout(drainSeconds));
            for (int i = 0; i < spec.measurement().operators(); i++) {
                pipeline.operator(flux -> flux.map(request -> request));
            }
            for (String stage : spec.stages()) {
                pipeline.stage(Providers.stage(stage));
            }
            built = built(pipeline);
            VhostUserServerBuilder server = VhostUserServer.builder()
                    .pipeline(built)
                    .loops(loops)
                    .loopOfQueue(spec.loopOfQueue())
                    .numQueues(spec.queues())
                    .queueSize(spec.queueSize())
                    .segMax(spec.segMax())
                    .allowFileMemory(spec.allowFileMemory())
                    .cacheMode(spec.cache())
                    .observer(observation.counted() ? metrics : FrontEndObserver.NONE)
                    .serial(spec.serial());
            if (spec.stateFile() != null) {
                server.stateFile(spec.stateFile());
            }
            return new Disk(spec, loops, backend, choice, built, spec.endpoint().build(server, sockets), metrics);
        } catch (Throwable failed) {
            if (built != null) {
                built.close();
            }
            backend.close();
            throw failed;
        }
    }

    private static BlockPipeline built(BlockPipeline.Builder pipeline) throws IOException {
        try {
            return pipeline.build();
        } catch (UncheckedIOException stageRefused) {
            throw stageRefused.getCause();
        }
    }

    /**
     * Validates as much of a description as possible without opening anything.
     *
     * @throws IOException if it names a backend, a stage or a socket that is not available
     * @throws IllegalArgumentException if it names a queue or a loop that does not exist
     */
    static void check(DiskSpec spec, List<IoLoop> loops) throws IOException {
        if (spec.measurement().nullBytes() == 0) {
            Providers.choose(spec.backend(), loops.getFirst().kind());
        }
        for (String stage : spec.stages()) {
            Providers.stageProvider(stage);
        }
        VhostUserServerBuilder.requireLoops(spec.loopOfQueue(), spec.queues(), loops.size());
        if (spec.endpoint() instanceof Endpoint.SocketPath(Path path)
                && path.toString().getBytes(StandardCharsets.UTF_8).length > UnixSocket.MAX_PATH_BYTES) {
            throw new IOException("socket " + path + ": a socket path has at most " + UnixSocket.MAX_PATH_BYTES + " bytes");
        }
        requireStateDirectory(spec);
    }

    /** Checked at the start, not when the guest first sets its cache mode, which would then be refused. */
    private static void requireStateDirectory(DiskSpec spec) throws IOException {
        Path state = spec.stateFile();
        if (state != null && !Files.isDirectory(Objects.requireNonNullElse(state.toAbsolutePath().getParent(), state))) {
            throw new IOException("state file " + state + ": its directory does not exist: create it, or correct the path");
        }
    }

    private static BlockBackend openBackend(DiskSpec spec, String loop, List<String> choice) throws IOException {
        Measurement measurement = spec.measurement();
        return measurement.nullBytes() > 0
                ? new NullBackend(measurement.nullBytes(), spec.readOnly(), measurement.readZeroes(), spec.backendOptions().sinkCapacityOr(NULL_SINK_CAPACITY))
                : Providers.open(spec.backend(), loop, spec.backendOptions(), choice::add);
    }

    /** Opens the endpoint. When this returns front ends can connect. */
    public void start() throws IOException {
        server.start();
        choice.forEach(line -> LOG.info("{}", LogText.escaped(line)));
    }

    /**
     * Takes no further requests until {@link #resume}: guests wait and are not reset.
     *
     * @return completes when nothing is in flight; cancelled if it is resumed before
     */
    public CompletableFuture<Void> pause() {
        return CompletableFuture.allOf(frontEnds().stream().map(FrontEnd::pause).toArray(CompletableFuture<?>[]::new));
    }

    /** Takes requests again. */
    public void resume() {
        frontEnds().forEach(FrontEnd::resume);
    }

    /** What brings requests. */
    public List<FrontEnd> frontEnds() {
        return List.of(server);
    }

    /** Waits until nothing is served any more, as {@link FrontEnd#awaitEnd} does. */
    public void awaitEnd() throws InterruptedException, IOException {
        server.awaitEnd();
    }

    /** Runs an action, which must not wait, once nothing is served any more, as {@link VhostUserServer#whenEnded} does. */
    void whenEnded(Runnable action) {
        server.whenEnded(action);
    }

    public String name() {
        return spec.name();
    }

    public DiskSpec spec() {
        return spec;
    }

    /** The vhost-user-blk device and who drives it. */
    VhostUserServer.State deviceState() {
        return server.state();
    }

    public BlockPipeline pipeline() {
        return pipeline;
    }

    /** Name of the backend that was opened. */
    public String backendName() {
        return backend.name();
    }

    /** The totals; all zero if the disk's requests are not counted. */
    public SluiceMetrics metrics() {
        return metrics;
    }

    /** Image, size, shape and endpoint, for people. */
    public String description() {
        BlockGeometry geometry = pipeline.geometry();
        return LogText.escaped(spec.image().toString()) + " (" + size(geometry.sizeBytes()) + (geometry.readOnly() ? ", read-only" : "") + ", " + spec.queues()
                + (spec.queues() == 1 ? " queue, " : " queues, ") + backend.name() + ") on " + LogText.escaped(spec.endpoint().toString());
    }

    private static String size(long bytes) {
        double mib = bytes / 1048576.0;
        return mib < 1024 ? String.format(Locale.ROOT, "%.1f MiB", mib) : String.format(Locale.ROOT, "%.1f GiB", mib / 1024);
    }

    /** A close in progress, or a later one, no longer waits for requests that stages hold: they fail. */
    void cutDrainShort() {
        pipeline.cutDrainShort();
    }

    /** Requests that failed because a stage held them too long. */
    long failedAtDrainLimit() {
        return pipeline.failedAtDrainLimit();
    }

    /** Stops requests first, then waits until none is in flight, and closes the image with its lock last. The loops continue. Idempotent. */
    @Override
    public synchronized void close() {
        server.close();
        pipeline.close();
        loops.forEach(Disk::settle);
        backend.close();
    }

    /** Waits until a loop has run its earlier tasks, such as closing a sink. */
    private static void settle(IoLoop loop) {
        try {
            OnLoop.run(loop, () -> {});
        } catch (RejectedExecutionException ended) {
            // Then everything on it has terminated.
        }
    }
}
