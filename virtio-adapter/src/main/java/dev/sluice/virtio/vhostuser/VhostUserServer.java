package dev.sluice.virtio.vhostuser;

import dev.sluice.linux.Errno;
import dev.sluice.linux.EventFd;
import dev.sluice.linux.Fd;
import dev.sluice.linux.OpenFileLimit;
import dev.sluice.linux.PeerCredentials;
import dev.sluice.linux.UnixSocket;
import dev.sluice.pipeline.BlockPipeline;
import dev.sluice.pipeline.IoLoop;
import dev.sluice.pipeline.LogText;
import dev.sluice.pipeline.PipelineObserver.ConnectionEvent;
import dev.sluice.virtio.blk.CacheMode;
import dev.sluice.virtio.blk.DiskStateFile;
import dev.sluice.virtio.blk.GuardedObserver;
import dev.sluice.virtio.blk.VirtioBlkDevice;
import dev.sluice.virtio.queue.CallBatch;
import dev.sluice.virtio.queue.DeviceRing;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Supplier;
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
 * <p><b>Threading:</b> any thread; the control plane runs on a thread of its own, queue i on loop i modulo the number of loops. Several servers may share
 * loops and a pipeline. <b>Ownership:</b> loops and pipeline stay the caller's, who closes them after the server. <b>Failure:</b>
 * {@link #start} throws {@link IOException} with one line that says what to do; whatever a front end does wrong, and whatever goes wrong on
 * its behalf, ends at most its connection. {@link #awaitEnd} throws where serving itself has failed.
 * <b>Allocation:</b> none per request. Source: QEMU {@code docs/interop/vhost-user.rst}.
 */
public final class VhostUserServer implements AutoCloseable {
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

    private final Builder settings;
    private final BlockPipeline pipeline;
    private final VirtioBlkDevice device;
    private final GuardedObserver observer;
    private final String address;
    private final ConnectionLog log;
    /** The descriptor to serve on, until it is opened. */
    private int inherited;
    private final CountDownLatch ended = new CountDownLatch(1);
    /** Guest memory of connections that have ended, which stages still have requests in. */
    private final AtomicLong quarantinedBytes = new AtomicLong();
    private final Map<IoLoop, CallBatch> calls = new LinkedHashMap<>();

    /** Ends every wait of the control thread; never read, so that it stays signalled. */
    private @Nullable Fd wake;
    private @Nullable Thread thread;
    private @Nullable ServerSocket serving;
    private volatile boolean closing;
    /** Why serving has ended, where nobody wanted it to. */
    private volatile @Nullable Throwable failure;
    private volatile @Nullable Connection connection;

    private VhostUserServer(Builder settings, BlockPipeline pipeline) {
        this.settings = settings;
        this.pipeline = pipeline;
        this.device = new VirtioBlkDevice(pipeline.geometry(), settings.numQueues, settings.segMax, settings.cacheMode);
        Path path = settings.socketPath;
        this.observer = new GuardedObserver(pipeline.observer(), GuardedObserver.NO_QUEUE);
        this.inherited = settings.fd;
        this.address = path == null ? "fd " + settings.fd : LogText.escaped(path.toString());
        this.log = new ConnectionLog(address);
    }

    public static Builder builder() {
        return new Builder();
    }

    /**
     * A device at one moment, for people and monitoring.
     *
     * @param address socket path, or {@code fd N}
     * @param connected whether a front end is there
     * @param peerPid its process, 0 where there is none or it is not visible here
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
     * @param broken whether its driver has lied about it or its memory has gone, so that it has ended
     */
    public record RingSnapshot(int index, RingState state, int size, String loopName, boolean broken) {}

    /** What the control thread shows of a connection: settled between messages, but for the queues that break meanwhile. */
    private record Connection(PeerCredentials peer, long protocolFeatures, List<Supplier<RingSnapshot>> rings) {}

    // ---- life

    /**
     * Opens the socket and begins to serve. Returns when front ends can connect.
     *
     * @throws IOException in one line: what failed and what to do; also where the server was closed before
     */
    public synchronized void start() throws IOException {
        if (closing) {
            throw new IOException(address + ": the server was closed before it was started: build another one");
        }
        if (thread != null) {
            throw new IllegalStateException("server of " + address + " was started before");
        }
        ServerSocket opened = openSocket();
        try {
            keepCacheMode(opened);
            Fd woken = openShared();
            LOG.info("{}: {}", address, pipeline);
            // Asked for now as well so that it is loaded: from a directory of classes that takes the descriptor that there is not when it is needed.
            LOG.debug("{}: at most {} open files", address, OpenFileLimit.current());
            serving = opened;
            thread = Thread.ofPlatform().name("sluice-vhost-user " + address).start(() -> serve(opened, woken));
        } catch (Throwable failed) {
            // Also where there is no memory or no thread to be had.
            opened.close();
            closeCalls();
            closeWake();
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

    private Fd openShared() throws IOException {
        int made = EventFd.create(0, EventFd.EFD_CLOEXEC | EventFd.EFD_NONBLOCK);
        if (made < 0) {
            throw new IOException("eventfd: " + Errno.describe(made));
        }
        Fd woken = Fd.adopt(made);
        wake = woken;
        for (IoLoop loop : settings.loops) {
            if (!calls.containsKey(loop)) {
                calls.put(loop, new CallBatch(loop));
            }
        }
        return woken;
    }

    private void closeCalls() {
        calls.forEach((loop, batch) -> OnLoop.run(loop, batch::close));
        calls.clear();
    }

    private void closeWake() {
        Fd opened = wake;
        wake = null;
        if (opened != null) {
            opened.close();
        }
    }

    /** What the device and its front end are up to. */
    public State state() {
        Connection current = connection;
        return current == null
                ? new State(address, false, 0, 0, device.offered(), 0, 0, false, List.of())
                : new State(
                        address,
                        true,
                        current.peer().pid(),
                        current.peer().uid(),
                        device.offered(),
                        device.accepted(),
                        current.protocolFeatures(),
                        device.needsReset(),
                        current.rings().stream().map(Supplier::get).toList());
    }

    /**
     * Waits until the server serves no more: it was closed, or the one connection that it inherited has ended.
     *
     * @throws IOException where it has ended for another reason, which it names
     */
    public void awaitEnd() throws InterruptedException, IOException {
        ended.await();
        Throwable why = failure;
        if (why != null) {
            throw new IOException(address + ": the server ended: " + (why.getMessage() == null ? why : why.getMessage()), why);
        }
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
        Thread control = thread;
        Fd woken = wake;
        if (control == null || woken == null) {
            if (inherited != NO_FD) {
                ServerSocket.discard(inherited);
                inherited = NO_FD;
            }
            ended.countDown();
            return;
        }
        ServerSocket socket = serving;
        if (socket != null) {
            socket.refuseConnections();
        }
        serving = null;
        int _ = EventFd.signal(woken.number());
        boolean interrupted = false;
        while (true) {
            try {
                control.join();
                break;
            } catch (InterruptedException later) {
                interrupted = true;
            }
        }
        closeWake();
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    // ---- the control thread

    private void serve(ServerSocket socket, Fd woken) {
        try (socket) {
            UnixSocket only = socket.takeConnected();
            UnixSocket listening = socket.listening();
            if (only != null) {
                serveConnection(only, woken);
            } else if (listening != null) {
                new AcceptLoop(woken.number(), listening.fd().number(), listening::accept, accepted -> serveAccepted(accepted, woken), log).run(() -> closing);
            }
        } catch (Throwable failed) {
            failure = failed;
            LOG.error("{}: the server ends: {}", address, failed.getMessage(), failed);
        } finally {
            log.close();
            ended.countDown();
            closeCalls();
        }
    }

    private void serveAccepted(Fd accepted, Fd woken) {
        UnixSocket adopted;
        try {
            adopted = UnixSocket.adopt(accepted);
        } catch (Throwable failed) {
            accepted.close();
            log.error("the connection cannot be served", failed);
            return;
        }
        serveConnection(adopted, woken);
    }

    private void serveConnection(UnixSocket connection, Fd woken) {
        int pid = 0;
        boolean told = false;
        ConnectionEvent end = ConnectionEvent.FAILED;
        try (connection;
                VhostUserSession session = session(connection, woken.number())) {
            PeerCredentials peer = connection.peerCredentials();
            pid = peer.pid();
            log.peer(peer.uid());
            log.info(ConnectionLog.Kind.CONNECTED, "front end connected, process " + pid);
            told = true;
            observer.connectionEvent(ConnectionEvent.CONNECTED, pid);
            boolean more = true;
            while (more && !closing) {
                this.connection = new Connection(peer, session.protocolFeatures(), session.ringSnapshots());
                more = session.serveNext();
            }
            log.info(ConnectionLog.Kind.DISCONNECTED, "front end disconnected");
            end = ConnectionEvent.DISCONNECTED;
        } catch (ProtocolViolation violation) {
            log.warn(ConnectionLog.Kind.VIOLATION, violation.rule() + "; the connection ends");
            end = ConnectionEvent.VIOLATION;
        } catch (IOException broken) {
            log.warn(ConnectionLog.Kind.BROKEN, "the connection ends: " + broken.getMessage());
        } catch (OutOfMemoryError none) {
            // What a front end asks for decides how much is needed: rings, regions. The next one may ask for less.
            log.error("there is not enough memory for what the front end asks for; the connection ends", none);
        } catch (Throwable bug) {
            log.error("the connection ends on an error of Sluice", bug);
        } finally {
            this.connection = null;
            device.reset();
            if (told) {
                observer.connectionEvent(end, pid);
            }
        }
    }

    private VhostUserSession session(UnixSocket connection, int wakeFd) {
        MappingQuarantine quarantine = new MappingQuarantine(quarantinedBytes);
        List<Virtqueue> queues = new ArrayList<>(settings.numQueues);
        for (int i = 0; i < settings.numQueues; i++) {
            IoLoop loop = settings.loops.get(settings.loopOfQueue.getOrDefault(i, i % settings.loops.size()));
            CallBatch batch = Objects.requireNonNull(calls.get(loop));
            queues.add(new Virtqueue(i, loop, batch, device, pipeline, settings.queueSize, quarantine));
        }
        MessageStream stream = new MessageStream(connection, wakeFd, settings.partialMessageTimeout.toNanos());
        try {
            return new VhostUserSession(device, stream, queues, settings.allowFileMemory, log, quarantine);
        } catch (Throwable failed) {
            stream.close();
            throw failed;
        }
    }

    @Override
    public String toString() {
        return "vhost-user-blk at " + address;
    }

    /** Settings of a server. Not thread safe; used once. */
    public static final class Builder {
        private static final int DEFAULT_SEG_MAX = 126;
        private static final int MAX_SEG_MAX = 1022;

        private @Nullable Path socketPath;
        private int fd = NO_FD;
        private @Nullable BlockPipeline pipeline;
        private List<IoLoop> loops = List.of();
        private Map<Integer, Integer> loopOfQueue = Map.of();
        private int numQueues = 1;
        private int queueSize = DEFAULT_QUEUE_SIZE;
        private int segMax = DEFAULT_SEG_MAX;
        private boolean allowFileMemory;
        private CacheMode cacheMode = CacheMode.GUEST;
        private @Nullable Path stateFile;
        private Duration partialMessageTimeout = PARTIAL_MESSAGE_TIMEOUT;

        private Builder() {}

        /** Listen at this path. Either this or {@link #fd}. */
        public Builder socketPath(Path path) {
            this.socketPath = path;
            return this;
        }

        /**
         * Serve on an inherited descriptor, listening or connected; the server owns it from {@link #build} on, started or not. What is no stream
         * socket of AF_UNIX is refused at {@link #start} and never closed.
         *
         * @throws IllegalArgumentException where the number is negative
         */
        public Builder fd(int number) {
            if (number < 0) {
                throw new IllegalArgumentException(number + " is no file descriptor: name the number of an open one, 0 or more");
            }
            this.fd = number;
            return this;
        }

        /** Where requests go. Required. */
        public Builder pipeline(BlockPipeline pipeline) {
            this.pipeline = pipeline;
            return this;
        }

        /** Who serves the queues: queue i on loop i modulo their number, unless {@link #loopOfQueue} says otherwise. At least one. */
        public Builder loops(List<IoLoop> loops) {
            this.loops = List.copyOf(loops);
            return this;
        }

        /** Which loop, by its place in {@link #loops}, serves which queue; a queue that is not named is served as if nothing were said. */
        public Builder loopOfQueue(Map<Integer, Integer> loopOfQueue) {
            this.loopOfQueue = Map.copyOf(loopOfQueue);
            return this;
        }

        /** 1 to 256. */
        public Builder numQueues(int numQueues) {
            this.numQueues = numQueues;
            return this;
        }

        /** The largest ring that a front end may set up: a power of two from 2 to 32768. */
        public Builder queueSize(int queueSize) {
            this.queueSize = queueSize;
            return this;
        }

        /** Data segments of a request that drivers are told to keep to, 1 to 1022; up to {@link VirtioBlkDevice#MAX_SEGMENTS} are served. */
        public Builder segMax(int segMax) {
            this.segMax = segMax;
            return this;
        }

        /** Whether guest memory may be in files other than memfds and those on tmpfs and hugetlbfs. */
        public Builder allowFileMemory(boolean allowFileMemory) {
            this.allowFileMemory = allowFileMemory;
            return this;
        }

        /** Who decides about the write cache; the guest unless said otherwise. */
        public Builder cacheMode(CacheMode cacheMode) {
            this.cacheMode = cacheMode;
            return this;
        }

        /**
         * Where the cache mode that the guest has set is kept, read at {@link #start}; with {@link CacheMode#GUEST} alone. Unless told, the path of the
         * listening socket with {@code .state} behind it; where there is none, the mode is lost with the process.
         */
        public Builder stateFile(Path stateFile) {
            this.stateFile = stateFile;
            return this;
        }

        /** How long the rest of a message may take once it has begun. */
        Builder partialMessageTimeout(Duration timeout) {
            this.partialMessageTimeout = timeout;
            return this;
        }

        /**
         * Makes a server that is not started.
         *
         * @throws IllegalArgumentException naming the value and its bounds
         */
        public VhostUserServer build() {
            BlockPipeline chosen = pipeline;
            if (chosen == null || loops.isEmpty()) {
                throw new IllegalArgumentException("a server needs a pipeline and at least one loop");
            }
            if ((socketPath == null) == (fd == NO_FD)) {
                throw new IllegalArgumentException("a server needs either a socket path or a file descriptor");
            }
            requireRange("number of queues", numQueues, 1, MAX_QUEUES);
            requireRange("seg_max", segMax, 1, MAX_SEG_MAX);
            requireRange("queue size", queueSize, 2, DeviceRing.MAX_SIZE);
            if (Integer.bitCount(queueSize) != 1) {
                throw new IllegalArgumentException("queue size " + queueSize + " is not a power of two");
            }
            requireLoops(loopOfQueue, numQueues, loops.size());
            return new VhostUserServer(this, chosen);
        }

        /**
         * Whether the queues of a {@link #loopOfQueue} and their loops are there: what {@link #build} asks, for who wants to know before.
         *
         * @param loops how many there are
         * @throws IllegalArgumentException naming the value and its bounds
         */
        public static void requireLoops(Map<Integer, Integer> loopOfQueue, int numQueues, int loops) {
            loopOfQueue.forEach((queue, loop) -> {
                requireRange("queue", queue, 0, numQueues - 1);
                requireRange("loop of queue " + queue + ":", loop, 0, loops - 1);
            });
        }

        private static void requireRange(String what, int value, int low, int high) {
            if (value < low || value > high) {
                throw new IllegalArgumentException(what + " " + value + " is not within " + low + " to " + high);
            }
        }
    }
}
