package dev.sluice.virtio.vhostuser;

import dev.sluice.pipeline.BlockPipeline;
import dev.sluice.pipeline.FrontEndObserver;
import dev.sluice.pipeline.IoLoop;
import dev.sluice.pipeline.Ranges;
import dev.sluice.virtio.blk.CacheMode;
import dev.sluice.virtio.blk.VirtioBlkDevice;
import dev.sluice.virtio.queue.DeviceRing;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Settings of a {@link VhostUserServer}.
 *
 * <p><b>Threading:</b> one thread; used once. <b>Failure:</b> {@link #build} throws {@code IllegalArgumentException} naming the value and its bounds.
 */
public final class VhostUserServerBuilder {
    private static final int NO_FD = -1;
    private static final int DEFAULT_SEG_MAX = 126;
    private static final int MAX_SEG_MAX = 1022;

    @Nullable
    Path socketPath;
    int fd = NO_FD;
    private @Nullable BlockPipeline pipeline;
    List<IoLoop> loops = List.of();
    Map<Integer, Integer> loopOfQueue = Map.of();
    int numQueues = 1;
    int queueSize = VhostUserServer.DEFAULT_QUEUE_SIZE;
    int segMax = DEFAULT_SEG_MAX;
    boolean allowFileMemory;
    CacheMode cacheMode = CacheMode.GUEST;
    String serial = "";
    @Nullable
    Path stateFile;
    FrontEndObserver observer = FrontEndObserver.NONE;
    Duration partialMessageTimeout = VhostUserServer.PARTIAL_MESSAGE_TIMEOUT;

    VhostUserServerBuilder() {}

    /** Listen at this path. Either this or {@link #fd}. */
    public VhostUserServerBuilder socketPath(Path path) {
        this.socketPath = path;
        return this;
    }

    /**
     * Serve on an inherited descriptor, listening or connected; the server owns it from {@link #build} on, started or not. What is not a stream
     * socket of AF_UNIX is refused at {@link VhostUserServer#start} and never closed.
     *
     * @throws IllegalArgumentException where the number is negative
     */
    public VhostUserServerBuilder fd(int number) {
        if (number < 0) {
            throw new IllegalArgumentException(number + " is not a file descriptor: name the number of an open one, 0 or more");
        }
        this.fd = number;
        return this;
    }

    /** Where requests go. Required. */
    public VhostUserServerBuilder pipeline(BlockPipeline pipeline) {
        this.pipeline = pipeline;
        return this;
    }

    /** Who serves the queues: queue i on loop i modulo their number, unless {@link #loopOfQueue} says otherwise. At least one. */
    public VhostUserServerBuilder loops(List<IoLoop> loops) {
        this.loops = List.copyOf(loops);
        return this;
    }

    /** Which loop, by its place in {@link #loops}, serves which queue; a queue that is not named is served as if nothing were said. */
    public VhostUserServerBuilder loopOfQueue(Map<Integer, Integer> loopOfQueue) {
        this.loopOfQueue = Map.copyOf(loopOfQueue);
        return this;
    }

    /** 1 to 256. */
    public VhostUserServerBuilder numQueues(int numQueues) {
        this.numQueues = numQueues;
        return this;
    }

    /** The largest ring that a front end may set up: a power of two from 2 to 32768. */
    public VhostUserServerBuilder queueSize(int queueSize) {
        this.queueSize = queueSize;
        return this;
    }

    /** Data segments of a request that drivers are to keep to ({@code seg_max}), 1 to 1022; up to {@link VirtioBlkDevice#MAX_SEGMENTS} are served. */
    public VhostUserServerBuilder segMax(int segMax) {
        this.segMax = segMax;
        return this;
    }

    /** Whether guest memory may be in files other than memfds and those on tmpfs and hugetlbfs. */
    public VhostUserServerBuilder allowFileMemory(boolean allowFileMemory) {
        this.allowFileMemory = allowFileMemory;
        return this;
    }

    /** The serial that guests read, at most {@link VirtioBlkDevice#SERIAL_BYTES} bytes of UTF-8; empty by default. */
    public VhostUserServerBuilder serial(String serial) {
        this.serial = serial;
        return this;
    }

    /** Who decides about the write cache; the guest unless said otherwise. */
    public VhostUserServerBuilder cacheMode(CacheMode cacheMode) {
        this.cacheMode = cacheMode;
        return this;
    }

    /**
     * Where the cache mode that the guest has set is kept, read at {@link VhostUserServer#start}; with {@link CacheMode#GUEST} alone. By default the path of
     * the listening socket with {@code .state} behind it; if there is none, the mode is lost with the process.
     */
    public VhostUserServerBuilder stateFile(Path stateFile) {
        this.stateFile = stateFile;
        return this;
    }

    /** Who is notified of connections; nobody by default. Requests and queues are the {@linkplain BlockPipeline.Builder#observer pipeline's}. */
    public VhostUserServerBuilder observer(FrontEndObserver observer) {
        this.observer = observer;
        return this;
    }

    /** How long the rest of a message may take once it has begun. */
    VhostUserServerBuilder partialMessageTimeout(Duration timeout) {
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
        Ranges.require("number of queues", numQueues, 1, VhostUserServer.MAX_QUEUES);
        Ranges.require("seg_max", segMax, 1, MAX_SEG_MAX);
        Ranges.require("queue size", queueSize, 2, DeviceRing.MAX_SIZE);
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
            Ranges.require("queue", queue, 0, numQueues - 1);
            Ranges.require("loop of queue " + queue + ":", loop, 0, loops - 1);
        });
    }
}
