package dev.sluice.virtio.vhostuser;

import dev.sluice.linux.OpenFileLimit;
import dev.sluice.pipeline.BlockPipeline;
import dev.sluice.pipeline.FrontEnd;
import dev.sluice.pipeline.LogText;
import dev.sluice.virtio.blk.CacheMode;
import dev.sluice.virtio.blk.DiskStateFile;
import dev.sluice.virtio.blk.VirtioBlkDevice;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One virtio-blk disk on a Unix socket: serves one front end after another.
 *
 * <pre>{@code
 * VhostUserServer server = VhostUserServer.builder()
 *         .socketPath(Path.of("/run/disk.sock")).pipeline(pipeline).loops(loops).numQueues(4).build();
 * server.start();
 * }</pre>
 *
 * <p><b>Threading:</b> any thread; one thread of the process waits for front ends of all servers, one that
 * is connected is served by a thread of its own, queue i on loop i modulo the number of loops. Several servers may share
 * loops and a pipeline. <b>Ownership:</b> loops and pipeline stay the caller's, who closes them after the server. <b>Failure:</b>
 * {@link #start} throws {@link IOException} with one line that says what to do; whatever a front end does wrong, and whatever goes wrong on
 * its behalf, ends at most its connection. {@link #awaitEnd} throws where serving itself has failed.
 * <b>Allocation:</b> none per request. Source: QEMU {@code docs/interop/vhost-user.rst}.
 */
public final class VhostUserServer implements FrontEnd {
    /** Queues that a kick, call or err message can name. */
    public static final int MAX_QUEUES = 256;

    /** The largest ring that a front end may set up where nobody says otherwise. */
    public static final int DEFAULT_QUEUE_SIZE = 1024;

    private static final Logger LOG = LoggerFactory.getLogger(VhostUserServer.class);

    /** Behind the socket's name, where no state file is named. */
    private static final String STATE_SUFFIX = ".state";

    /** How long the rest of a message may take once it has begun. */
    static final Duration PARTIAL_MESSAGE_TIMEOUT = Duration.ofSeconds(10);

    private static final int NO_FD = -1;

    private final VhostUserServerBuilder settings;
    private final BlockPipeline pipeline;
    private final VirtioBlkDevice device;
    private final String address;
    private final ConnectionLog log;
    private final ConnectionServer connections;
    /** The descriptor to serve on, until it is opened. */
    private int inherited;
    /** Completed when nobody is served any more, with the reason if nobody wanted that. */
    private final CompletableFuture<Void> ended = new CompletableFuture<>();

    private @Nullable ServedSocket served;
    private volatile boolean closing;
    private boolean closed;

    VhostUserServer(VhostUserServerBuilder settings, BlockPipeline pipeline) {
        this.settings = settings;
        this.pipeline = pipeline;
        this.device = new VirtioBlkDevice(pipeline::geometry, settings.numQueues, settings.segMax, settings.cacheMode, settings.serial);
        Path path = settings.socketPath;
        this.inherited = settings.fd;
        this.address = path == null ? "fd " + settings.fd : LogText.escaped(path.toString());
        this.log = new ConnectionLog(address);
        this.connections = new ConnectionServer(settings, pipeline, device, address, log);
    }

    public static VhostUserServerBuilder builder() {
        return new VhostUserServerBuilder();
    }

    /**
     * A device at one moment, for people and monitoring.
     *
     * @param address socket path, or {@code fd N}
     * @param connected whether a front end is there
     * @param peerPid its process, 0 if there is none or it is not visible here
     * @param peerUid its user, meaningless where there is no front end
     * @param offeredFeatures the feature bits that drivers may accept
     * @param acceptedFeatures the feature bits that the driver has accepted
     * @param protocolFeatures the vhost-user protocol features that the front end has accepted
     * @param needsReset whether a queue is broken
     * @param rings the queues; empty where no front end is there
     */
    public record State(
            String address,
            boolean connected,
            int peerPid,
            int peerUid,
            long offeredFeatures,
            long acceptedFeatures,
            long protocolFeatures,
            boolean needsReset,
            List<RingSnapshot> rings) {}

    /**
     * A queue at one moment.
     *
     * @param size 0 before the front end has said it
     * @param loopName name of the loop that serves it
     * @param broken whether its driver has broken its rules or its memory has gone, so that it has ended
     */
    public record RingSnapshot(int index, RingState state, int size, String loopName, boolean broken) {}

    // ---- life

    /** Opens the socket and begins to serve. */
    @Override
    public synchronized void start() throws IOException {
        if (closing) {
            throw new IOException(address + ": the server was closed before it was started: build another one");
        }
        if (served != null) {
            throw new IllegalStateException("server of " + address + " was started before");
        }
        ServerSocket opened = openSocket();
        try {
            keepCacheMode(opened);
            connections.open();
            LOG.info("{}: {}", address, pipeline);
            // Asked for now as well so that it is loaded: from a directory of classes that takes the descriptor that there is not when it is needed.
            LOG.debug("{}: at most {} open files", address, OpenFileLimit.current());
            served = ServedSocket.start(opened, connections, log, address, ended);
        } catch (Throwable failed) {
            // Also where there is no memory or no thread to be had.
            opened.close();
            connections.close();
            throw failed;
        }
    }

    private ServerSocket openSocket() throws IOException {
        int passed = inherited;
        inherited = NO_FD;
        Path path = settings.socketPath;
        if (passed != NO_FD) {
            return ServerSocket.inherited(passed);
        }
        if (path != null) {
            return ServerSocket.listenAt(path);
        }
        throw new IOException(address + ": the server could not be started before: build another one");
    }

    private void keepCacheMode(ServerSocket opened) throws IOException {
        Path chosen = settings.stateFile;
        Path socket = opened.listeningAt();
        if (chosen != null) {
            device.keepCacheModeIn(new DiskStateFile(chosen));
        } else if (socket != null) {
            device.keepCacheModeIn(new DiskStateFile(socket.resolveSibling(socket.getFileName() + STATE_SUFFIX)));
        } else if (settings.cacheMode == CacheMode.GUEST) {
            LOG.info("{}: a cache mode that the guest sets is lost with this process, as the socket has no path: name a state file (--state-file)", address);
        }
    }

    /** What the device and its front end are up to. */
    public State state() {
        return connections.state();
    }

    /** As {@link FrontEnd#pause} says; the driver of a paused device sees that its requests take long, and nothing else. */
    @Override
    public CompletableFuture<Void> pause() {
        return connections.queues().pause();
    }

    @Override
    public void resume() {
        connections.queues().resume();
    }

    @Override
    public Description describe() {
        return new Description("vhost-user-blk", address, connections.isConnected() ? 1 : 0, connections.queues().isPaused());
    }

    @Override
    public void awaitEnd() throws InterruptedException, IOException {
        try {
            ended.get();
        } catch (ExecutionException failed) {
            Throwable why = Objects.requireNonNull(failed.getCause());
            throw new IOException(address + ": the server ended: " + (why.getMessage() == null ? why : why.getMessage()), why);
        }
    }

    /**
     * Runs an action once nobody is served any more, for whatever reason: at once where that is so already. It runs on a thread that serves front ends, or the
     * one that closes this server, and must not wait: {@link #awaitEnd} then says how it ended without waiting.
     */
    public void whenEnded(Runnable action) {
        CompletableFuture<Void> _ = ended.whenComplete((_, _) -> action.run());
    }

    /**
     * Removes the socket's path, ends the connection, drains what is in flight, frees everything. Waits for that; as long as the backend has requests in
     * flight it cannot end; what stages hold beyond the pipeline's drain limit fails. Idempotent, and allowed at any time: before {@link #start}, which then
     * throws, and during it.
     */
    @Override
    public void close() {
        closing = true;
        end();
    }

    /** Under the monitor that {@link #start} holds, so that what it opens is either seen here or never opened. */
    private synchronized void end() {
        ServedSocket serving = served;
        if (serving == null) {
            if (inherited != NO_FD) {
                ServerSocket.discard(inherited);
                inherited = NO_FD;
            }
        } else if (!closed) {
            closed = true;
            serving.close();
        }
        boolean _ = ended.complete(null);
    }

    @Override
    public String toString() {
        return "vhost-user-blk at " + address;
    }
}
