package dev.sluice.virtio.driver;

import dev.sluice.virtio.layout.VirtioFeatures;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * A disk behind somebody's vhost-user-blk socket: connected, negotiated and running.
 *
 * <pre>{@code
 * try (BlockDriver driver = BlockDriver.open("/run/vhost.sock", BlockDriverOptions.defaults())) {
 *     BlockingDisk disk = driver.disk(0);
 *     disk.write(0, MemorySegment.ofArray(new byte[4096]));
 *     disk.flush();
 * }
 * }</pre>
 *
 * <p><b>Threading</b>: open, stop, start and close from one control thread while no thread uses a queue; each queue from a
 * thread of its own. <b>Ownership</b>: of connection, queues and guest memory, until {@link #close()}. <b>Failure</b>:
 * {@code IOException} for set-up. <b>Allocation</b>: set-up only.
 */
public final class BlockDriver implements AutoCloseable {
    private static final long REGION_GAP_BYTES = 1L << 20;

    private final VhostUserFrontend frontend;
    private final DeviceSession session;
    private final DriverMemory memory;
    private final List<DriverQueue> queues;
    private final DiskConfig config;
    private int[] bases;

    private BlockDriver(
            VhostUserFrontend frontend,
            DeviceSession session,
            DriverMemory memory,
            List<DriverQueue> queues,
            DiskConfig config) {
        this.frontend = frontend;
        this.session = session;
        this.memory = memory;
        this.queues = List.copyOf(queues);
        this.config = config;
        this.bases = new int[queues.size()];
    }

    /** Connects to the socket at a path, which may appear within the timeout, and starts the disk. */
    public static BlockDriver open(String path, BlockDriverOptions options) throws IOException {
        return open(VhostUserFrontend.connect(path, options.timeout()), options);
    }

    /** Starts the disk behind a connection, which it takes over. */
    public static BlockDriver open(VhostUserFrontend frontend, BlockDriverOptions options) throws IOException {
        List<DriverQueue> queues = new ArrayList<>();
        DriverMemory memory = null;
        try {
            DeviceSession session = DeviceSession.negotiate(frontend, options.features(), options.protocolFeatures());
            int count = Math.min(options.queues(), session.queueLimit());
            long bytesPerQueue = DriverMemory.roundedToPages(options.shape().memoryBytes());
            memory = new DriverMemory(bytesPerQueue * count);
            for (int i = 0; i < count; i++) {
                MemoryRegion region = regionOf(memory, i, options.regionPerQueue() ? 1 : count, bytesPerQueue);
                queues.add(DriverQueue.create(i, options.shape(), session.features(), region));
            }
            session.introduce(queues);
            DiskConfig config = DiskConfig.of(session.config(), session.features());
            BlockDriver driver = new BlockDriver(frontend, session, memory, queues, config);
            driver.start();
            return driver;
        } catch (IOException | RuntimeException | Error e) {
            frontend.close();
            queues.forEach(DriverQueue::close);
            if (memory != null) {
                memory.close();
            }
            throw e;
        }
    }

    private static MemoryRegion regionOf(DriverMemory memory, int queue, int queuesPerRegion, long bytesPerQueue)
            throws IOException {
        if (queue % queuesPerRegion != 0) {
            return memory.regions().getLast();
        }
        long bytes = bytesPerQueue * queuesPerRegion;
        long guestAddress = DriverMemory.DEFAULT_GUEST_ADDRESS + (bytes + REGION_GAP_BYTES) * (queue / queuesPerRegion);
        return memory.addRegion(DriverMemory.roundedToPages(guestAddress), bytes);
    }

    /** Size, limits and features of the disk. */
    public DiskConfig config() {
        return config;
    }

    /** {@code VirtioFeatures} that were negotiated. */
    public long features() {
        return session.features();
    }

    /** True where all of these features were negotiated. */
    public boolean has(long wanted) {
        return (session.features() & wanted) == wanted;
    }

    /** Queues that are open. */
    public int queueCount() {
        return queues.size();
    }

    /** A queue. */
    public DriverQueue queue(int index) {
        return queues.get(index);
    }

    /** All queues. */
    public List<DriverQueue> queues() {
        return queues;
    }

    /** A queue for a caller who waits for each request. Nobody else uses it meanwhile. */
    public BlockingDisk disk(int queue) {
        return new BlockingDisk(queues.get(queue), has(VirtioFeatures.BLK_FLUSH));
    }

    /** The messages underneath. */
    public VhostUserFrontend frontend() {
        return frontend;
    }

    /** What was negotiated. */
    public DeviceSession session() {
        return session;
    }

    /** The guest memory that the queues are in. */
    public DriverMemory memory() {
        return memory;
    }

    /** Process id of the backend, 0 where it is not visible here. */
    public int backendPid() throws IOException {
        return frontend.peer().pid();
    }

    /** True where the backend has closed the connection. */
    public boolean backendHungUp() {
        return frontend.connection().hungUp();
    }

    /** Stops the device as QEMU does for a paused guest. What is in the rings stays; what was in flight can be reaped. */
    public void stop() throws IOException {
        bases = session.stop();
    }

    /** Starts the device where it was stopped. Requests that the device had not taken by then, it takes now. */
    public void start() throws IOException {
        if (session.running()) {
            throw new IllegalStateException("the device is running");
        }
        session.start(queues, bases, memory.regions());
        // A kick that was sent while the ring was stopped may be lost with it.
        queues.forEach(DriverQueue::kick);
    }

    /** Stops and starts again; requests survive. */
    public void restart() throws IOException {
        stop();
        start();
    }

    /** Stops, empties the rings and starts from index 0, as a guest that resets its device; requests are forgotten. */
    public void reset() throws IOException {
        stop();
        queues.forEach(DriverQueue::reset);
        Arrays.fill(bases, 0);
        start();
    }

    /** Stops the device if the backend still replies, and frees everything. Idempotent. */
    @Override
    public void close() {
        try {
            if (session.running()) {
                stop();
            }
        } catch (IOException | IllegalStateException _) {
            // The backend is gone or confused, or the connection closed; its end is the end of the device in any case.
        } finally {
            frontend.close();
            queues.forEach(DriverQueue::close);
            memory.close();
        }
    }
}
