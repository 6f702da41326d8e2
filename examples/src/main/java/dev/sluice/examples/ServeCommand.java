package dev.sluice.examples;

import dev.sluice.aio.nothing.NullBackend;
import dev.sluice.aio.uring.IoUringLoop;
import dev.sluice.aio.uring.IoUringLoopOptions;
import dev.sluice.linux.LinuxPlatform;
import dev.sluice.metrics.SluiceMetrics;
import dev.sluice.pipeline.BackendOptions;
import dev.sluice.pipeline.BlockBackend;
import dev.sluice.pipeline.BlockPipeline;
import dev.sluice.pipeline.BlockStage;
import dev.sluice.pipeline.IoLoop;
import dev.sluice.pipeline.Shortcuts;
import dev.sluice.virtio.vhostuser.VhostUserServer;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/**
 * Serves one image as a vhost-user-blk disk until it is told to stop. Follows QEMU's "Backend program conventions": stays in the
 * foreground, says one line on stdout when it is ready, drains and exits 0 on SIGTERM.
 */
@Command(
        name = "serve",
        mixinStandardHelpOptions = true,
        sortOptions = false,
        description = "Serve an image as a vhost-user-blk disk on a Unix socket.",
        footer = {
            "",
            "Then start the guest with shared memory, for instance:",
            "  qemu-system-x86_64 ... -object memory-backend-memfd,id=mem,size=1G,share=on -numa node,memdev=mem \\",
            "    -chardev socket,id=c0,path=SOCKET,reconnect=1 -device vhost-user-blk-pci,chardev=c0,num-queues=4"
        })
final class ServeCommand implements Callable<Integer> {
    private static final String CAPABILITIES =
            """
            {
              "type": "block",
              "features": [
                "read-only",
                "blk-file"
              ]
            }""";

    private static final int MAX_LOOPS = 64;
    private static final long MAX_POLL_NANOS = 1_000_000_000L;

    static final class Endpoint {
        @Option(names = "--socket-path", paramLabel = "PATH", description = "Unix socket to listen on; created for its owner only.")
        @Nullable Path socketPath;

        @Option(names = "--fd", paramLabel = "FDNUM", description = "Serve on this inherited descriptor of a connected socket instead; ends with the connection.")
        @Nullable Integer fd;
    }

    @ArgGroup(multiplicity = "0..1")
    private Endpoint endpoint = new Endpoint();

    /** Whatever other options say, as the conventions of vhost-user programs have it. */
    @Option(names = "--print-capabilities", description = "Print what this backend can do as JSON, and exit.")
    private boolean printCapabilities;

    @Option(names = "--blk-file", paramLabel = "IMAGE", description = "Raw image: a regular file or a block device. Its format is never probed.")
    private @Nullable Path blkFile;

    @Option(names = "--read-only", description = "Refuse everything that changes the image.")
    private boolean readOnly;

    @Option(names = "--num-queues", paramLabel = "N", defaultValue = "1", description = "Queues offered, 1 to 256 (default: ${DEFAULT-VALUE}).")
    private int numQueues;

    @Option(names = "--queue-size", paramLabel = "Q", defaultValue = "256", description = "Largest queue accepted, a power of two from 2 to 32768 (default: ${DEFAULT-VALUE}).")
    private int queueSize;

    @Option(names = "--seg-max", paramLabel = "N", defaultValue = "126", description = "Data segments of a request (default: ${DEFAULT-VALUE}).")
    private int segMax;

    @Option(names = "--backend", paramLabel = "NAME", defaultValue = "io_uring", description = "How the image is read and written (default: ${DEFAULT-VALUE}).")
    private String backendName;

    @Option(names = "--buffered", description = "Go through the host's page cache instead of O_DIRECT.")
    private boolean buffered;

    @Option(names = "--loops", paramLabel = "M", defaultValue = "1", description = "Threads that serve the queues, in turns (default: ${DEFAULT-VALUE}).")
    private int loopCount;

    @Option(names = "--serial", paramLabel = "TEXT", defaultValue = "", description = "Serial of the disk, at most 20 bytes.")
    private String serial;

    @Option(names = "--size", paramLabel = "BYTES", description = "Size of the disk of --backend null: 512, 4k, 2G.")
    private @Nullable String size;

    @Option(names = "--read-zeroes", description = "With --backend null: reads give zeroes instead of leaving the guest's buffers as they are.")
    private boolean readZeroes;

    @Option(names = "--queue-loop-map", paramLabel = "Q:L,...", defaultValue = "", description = "Serve queue Q on loop L, both from 0, instead of in turns.")
    private String queueLoopMap;

    @Option(names = "--loop-cpus", paramLabel = "LIST", defaultValue = "", description = "Pin the loops to these CPUs, one each: 0,1 or 2-5.")
    private String loopCpus;

    @Option(names = "--poll-max-ns", paramLabel = "N", defaultValue = "0", description = "A loop spins for up to N nanoseconds before it sleeps (default: ${DEFAULT-VALUE}, sleep at once).")
    private long pollMaxNanos;

    @Option(names = "--no-bypass", description = "For measuring: every request passes every stage and gets its Mono.")
    private boolean noBypass;

    @Option(names = "--no-pool", description = "For measuring: every request is a new object with new iovecs.")
    private boolean noPool;

    @Option(names = "--no-batch", description = "For measuring: one request a queue and tick, each answer shown and signalled by itself.")
    private boolean noBatch;

    @Option(names = "--stage", paramLabel = "NAME[:ARGS]", description = "Put a stage before the image; repeatable, in order.")
    private List<String> stages = List.of();

    @Option(names = "--allow-file-memory", description = "Accept guest memory in files that are neither memfd, tmpfs nor hugetlbfs.")
    private boolean allowFileMemory;

    @Option(names = "--stats", paramLabel = "FILE", description = "Append a line of JSON with cumulative counts to this file each second.")
    private @Nullable Path stats;

    @Spec
    private CommandSpec spec;

    @SuppressWarnings("NullAway.Init") // picocli sets the fields
    ServeCommand() {}

    @Override
    public Integer call() throws IOException, InterruptedException {
        if (printCapabilities) {
            System.out.println(CAPABILITIES);
            return 0;
        }
        if (endpoint.socketPath == null && endpoint.fd == null) {
            throw new ParameterException(spec.commandLine(), "Missing required option: '--socket-path=PATH' or '--fd=FDNUM'");
        }
        requireOneDisk();
        within("--loops", loopCount, 1, MAX_LOOPS);
        if (pollMaxNanos < 0 || pollMaxNanos > MAX_POLL_NANOS) {
            throw new LaunchException("--poll-max-ns " + pollMaxNanos + " is not from 0 to " + MAX_POLL_NANOS);
        }
        within("--num-queues", numQueues, 1, VhostUserServer.MAX_QUEUES);
        LinuxPlatform.ensureAvailable();
        IoUringLoop.unavailable().ifPresent(why -> {
            throw new LaunchException(why);
        });
        try (ServedDisk disk = open()) {
            // The hook first: from the moment that the socket is there, somebody may have requests in flight.
            Thread onSignal = Thread.ofPlatform().unstarted(() -> stop(disk));
            Runtime.getRuntime().addShutdownHook(onSignal);
            try {
                disk.server().start();
                System.out.println("ready: " + diskName() + " (" + disk.description() + ") on "
                        + (endpoint.socketPath != null ? endpoint.socketPath : "fd " + endpoint.fd));
                System.out.flush();
                disk.server().awaitEnd();
            } finally {
                if (!withdraw(onSignal)) {
                    // The signal's thread ends the process once everything is closed.
                    onSignal.join();
                }
            }
        }
        return 0;
    }

    /** Either an image or the disk that is none. */
    private void requireOneDisk() {
        boolean none = backendName.equals(NullBackend.NAME);
        if (none && blkFile != null) {
            throw new ParameterException(spec.commandLine(), "--backend null has no image: give --size instead of --blk-file");
        }
        if (none && size == null) {
            throw new ParameterException(spec.commandLine(), "Missing required option: '--size=BYTES' (with --backend null)");
        }
        if (!none && blkFile == null) {
            throw new ParameterException(spec.commandLine(), "Missing required option: '--blk-file=IMAGE'");
        }
        if (!none && (size != null || readZeroes)) {
            throw new ParameterException(spec.commandLine(), "--size and --read-zeroes go with --backend null");
        }
    }

    private String diskName() {
        Path image = blkFile;
        return image == null ? "no image" : image.toString();
    }

    private BlockBackend openBackend() throws IOException {
        Path image = blkFile;
        if (image == null) {
            return new NullBackend(ByteSize.parse("--size", size == null ? "" : size), readOnly, readZeroes, BackendOptions.DEFAULT_SINK_CAPACITY);
        }
        return Providers.backend(backendName).open(BackendOptions.of(image).withReadOnly(readOnly).withDirect(!buffered));
    }

    /** False where the hook has begun already. */
    private static boolean withdraw(Thread hook) {
        try {
            return Runtime.getRuntime().removeShutdownHook(hook);
        } catch (IllegalStateException shuttingDown) {
            return false;
        }
    }

    /** SIGTERM, SIGINT: what was acknowledged is on its way to the disk; finish it and leave with 0. */
    private static void stop(ServedDisk disk) {
        int status = SluiceCommand.FAILED;
        try {
            disk.close();
            status = 0;
        } finally {
            Runtime.getRuntime().halt(status);
        }
    }

    private static void within(String option, int value, int least, int most) {
        if (value < least || value > most) {
            throw new LaunchException(option + " " + value + " is not from " + least + " to " + most);
        }
    }

    private ServedDisk open() throws IOException {
        Map<Integer, Integer> loopOfQueue = LoopLayout.queueToLoop(queueLoopMap, numQueues, loopCount);
        List<Integer> cpus = LoopLayout.cpus(loopCpus);
        BlockBackend backend = openBackend();
        List<IoLoop> loops = new ArrayList<>();
        try {
            SluiceMetrics metrics = new SluiceMetrics(deviceName(), numQueues);
            BlockPipeline.Builder pipeline = BlockPipeline.builder().backend(backend).serial(serial).observer(metrics)
                    .shortcuts(new Shortcuts(!noBypass, !noPool, !noBatch));
            for (String stage : stages) {
                BlockStage made = Providers.stage(stage, backend.geometry());
                pipeline.stage(made);
            }
            BlockPipeline built = pipeline.build();
            for (int i = 0; i < loopCount; i++) {
                loops.add(IoUringLoop.start("sluice-loop-" + i, IoUringLoopOptions.DEFAULT.withPollMaxNanos(pollMaxNanos)));
            }
            LoopLayout.pin(loops, cpus);
            VhostUserServer.Builder server = VhostUserServer.builder()
                    .pipeline(built)
                    .loops(loops)
                    .loopOfQueue(loopOfQueue)
                    .numQueues(numQueues)
                    .queueSize(queueSize)
                    .segMax(segMax)
                    .allowFileMemory(allowFileMemory);
            if (endpoint.socketPath != null) {
                server.socketPath(endpoint.socketPath);
            } else if (endpoint.fd != null) {
                server.fd(endpoint.fd);
            }
            VhostUserServer made = server.build();
            StatsFile statsFile = stats == null ? null : StatsFile.start(stats, loops, metrics);
            return new ServedDisk(made, built, loops, backend, statsFile,
                    describe(backend) + ", " + numQueues + (numQueues == 1 ? " queue, " : " queues, ") + backend.name());
        } catch (RuntimeException | IOException | Error failed) {
            loops.forEach(IoLoop::close);
            backend.close();
            throw failed;
        }
    }

    private String deviceName() {
        Path image = blkFile;
        return image == null || image.getFileName() == null ? "disk" : image.getFileName().toString();
    }

    private static String describe(BlockBackend backend) {
        double mib = backend.geometry().sizeBytes() / 1048576.0;
        String size = mib < 1024 ? String.format(Locale.ROOT, "%.1f MiB", mib) : String.format(Locale.ROOT, "%.1f GiB", mib / 1024);
        return size + (backend.geometry().readOnly() ? ", read-only" : "");
    }
}
