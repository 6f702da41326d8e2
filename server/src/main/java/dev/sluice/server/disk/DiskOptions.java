package dev.sluice.server.disk;

import dev.sluice.aio.nullbackend.NullBackend;
import dev.sluice.pipeline.BackendOptions;
import dev.sluice.pipeline.BlockBackendProvider;
import dev.sluice.pipeline.Providers;
import dev.sluice.virtio.blk.CacheMode;
import dev.sluice.virtio.vhostuser.VhostUserServer;
import java.nio.file.Path;
import java.util.Iterator;
import java.util.List;
import java.util.ServiceLoader;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.TypeConversionException;

/** The options that describe a disk, mixed into every command that serves one. Filled by picocli, then read. */
public final class DiskOptions {
    /** Placeholder for the image of a disk without one. */
    private static final Path NO_IMAGE = Path.of("nothing");

    @Option(names = "--blk-file", paramLabel = "IMAGE", description = "Raw image: a regular file or a block device. Its format is never probed.")
    private @Nullable Path blkFile;

    @Option(names = "--read-only", description = "Refuse everything that changes the image.")
    private boolean readOnly;

    @Option(names = "--num-queues", paramLabel = "N", defaultValue = "1", description = "Queues offered, 1 to 256 (default: ${DEFAULT-VALUE}).")
    private int numQueues;

    @Option(names = "--queue-size", paramLabel = "Q", defaultValue = "" + VhostUserServer.DEFAULT_QUEUE_SIZE,
            description = "Largest queue accepted, a power of two from 2 to 32768 (default: ${DEFAULT-VALUE}).")
    private int queueSize;

    @Option(names = "--seg-max", paramLabel = "N", defaultValue = "126", description = "Data segments of a request (default: ${DEFAULT-VALUE}).")
    private int segMax;

    /** Completion candidates for a shell: the available backends. */
    static final class Backends implements Iterable<String> {
        @Override
        public Iterator<String> iterator() {
            Stream<String> named = ServiceLoader.load(BlockBackendProvider.class).stream().map(provider -> provider.get().name());
            return Stream.concat(Stream.of(Providers.AUTO, NullBackend.NAME), named).iterator();
        }
    }

    /** Cache modes by the words that the configuration file uses. */
    static final class CacheModes implements ITypeConverter<CacheMode>, Iterable<String> {
        @Override
        public CacheMode convert(String word) {
            return Stream.of(CacheMode.values()).filter(mode -> mode.toString().equalsIgnoreCase(word)).findFirst()
                    .orElseThrow(() -> new TypeConversionException("'" + word + "' is not one of " + String.join(", ", this)));
        }

        @Override
        public Iterator<String> iterator() {
            return Stream.of(CacheMode.values()).map(CacheMode::toString).iterator();
        }
    }

    @Option(names = "--backend", paramLabel = "NAME", defaultValue = Providers.AUTO, completionCandidates = Backends.class,
            description = {
                "The backend that reads and writes the image: auto picks io_uring, then linux-aio, then nio (default: ${DEFAULT-VALUE}).",
                "mapped, which auto never picks, maps an image on tmpfs or hugetlbfs and copies; DAX has not been tried and is refused."})
    private String backend;

    @Option(names = "--buffered", description = "Go through the host's page cache instead of O_DIRECT.")
    private boolean buffered;

    @Option(names = "--aio-max-events", paramLabel = "N", description = {
        "Requests of a loop that are in flight at once, 1 to 32768: the events of its AIO context with linux-aio, of which the machine has",
        "fs.aio-max-nr (default: the backend's own; linux-aio 256)."})
    private @Nullable Integer aioMaxEvents;

    @Option(names = "--serial", paramLabel = "TEXT", defaultValue = "", description = "Serial of the disk, at most 20 bytes.")
    private String serial;

    @Option(names = "--stage", paramLabel = "STAGE", description = "Put a stage, NAME or NAME:ARGS, before the image; repeatable, in order.")
    private List<String> stages = List.of();

    @Option(names = "--cache", paramLabel = "MODE", defaultValue = "guest", converter = CacheModes.class, completionCandidates = CacheModes.class,
            description = {
                "guest: writeback until the guest changes it; writeback: fixed, the guest flushes; writethrough: fixed, every write is durable",
                "(default: ${DEFAULT-VALUE})."})
    private CacheMode cache;

    @Option(names = "--state-file", paramLabel = "FILE",
            description = "File that keeps the guest's cache mode across restarts (default: the socket's path with .state appended).")
    private @Nullable Path stateFile;

    @Option(names = "--allow-file-memory", description = "Accept guest memory in files that are neither memfd, tmpfs nor hugetlbfs.")
    private boolean allowFileMemory;

    @Option(names = "--queue-loop-map", paramLabel = "Q:L,...", defaultValue = "",
            description = "Serve queue Q on loop L, both from 0, instead of round-robin.")
    private String queueLoopMap;

    @Mixin
    private MeasurementOptions measuring;

    @SuppressWarnings("NullAway.Init") // picocli sets the fields
    public DiskOptions() {}

    /** The image, null if the option is required but missing. */
    public @Nullable Path image() {
        return blkFile == null && backend.equals(NullBackend.NAME) ? NO_IMAGE : blkFile;
    }

    /**
     * The disk that the options describe.
     *
     * @throws IllegalArgumentException if a value is out of range; the message names the value and its bounds
     */
    public DiskSpec spec(Path image, Endpoint endpoint) {
        if (blkFile != null && backend.equals(NullBackend.NAME)) {
            throw new IllegalArgumentException("--blk-file " + blkFile + " cannot be combined with --backend null, which has no image: omit one of them");
        }
        return DiskSpec.of(image, endpoint)
                .backend(backend)
                .readOnly(readOnly)
                .direct(!buffered)
                .aioMaxEvents(aioMaxEvents())
                .serial(serial)
                .queues(numQueues)
                .queueSize(queueSize)
                .segMax(segMax)
                .stages(stages)
                .cache(cache)
                .stateFile(stateFile)
                .allowFileMemory(allowFileMemory)
                .loopOfQueue(LoopLayout.queueToLoop(queueLoopMap))
                .measurement(measuring.measurement())
                .build();
    }

    private int aioMaxEvents() {
        if (aioMaxEvents == null) {
            return BackendOptions.DEFAULT_SINK_CAPACITY;
        }
        if (aioMaxEvents == BackendOptions.DEFAULT_SINK_CAPACITY) {
            // 0 means the default in the builder; on the command line it is an error.
            throw new IllegalArgumentException("--aio-max-events 0 is not from 1 to " + BackendOptions.MAX_SINK_CAPACITY);
        }
        return aioMaxEvents;
    }
}
