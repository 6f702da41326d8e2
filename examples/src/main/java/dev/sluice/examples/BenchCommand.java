package dev.sluice.examples;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import dev.sluice.examples.device.DevicePlan;
import dev.sluice.examples.disk.LaunchException;
import dev.sluice.examples.disk.OutputFiles;
import dev.sluice.examples.load.BackendProcess;
import dev.sluice.examples.load.BackendStats;
import dev.sluice.examples.load.Load;
import dev.sluice.examples.load.LoadPlan;
import dev.sluice.examples.load.LoadReport;
import dev.sluice.linux.LinuxPlatform;
import dev.sluice.virtio.driver.BlockDriver;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Locale;
import java.util.Objects;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** Load on any vhost-user-blk socket, Sluice's or another's, and what it cost the process behind it. */
@Command(
        name = "bench",
        mixinStandardHelpOptions = true,
        sortOptions = false,
        description = "Put load on the vhost-user-blk disk behind a socket, or with --device on a file, and measure it.",
        footer = {
            "",
            "A job is a driver thread; the queues are split among the jobs; the depth is per queue. Latency counts from the submission of a",
            "request to the driver's pass that reaped it. CPU is that of the whole backend process, its kernel workers included."
        })
final class BenchCommand implements Callable<Integer> {
    @Parameters(paramLabel = "SOCKET", arity = "0..1", description = "The backend's socket. What is on the disk is overwritten unless only reads are asked for.")
    private @Nullable Path socket;

    @Mixin
    private DeviceBenchOptions onDevice;

    @Option(names = "--queues", paramLabel = "N", defaultValue = "1", description = "Queues to use (default: ${DEFAULT-VALUE}).")
    private int queues;

    @Option(names = "--depth", paramLabel = "N", defaultValue = "64", description = "Requests in flight per queue (default: ${DEFAULT-VALUE}).")
    private int depth;

    @Option(names = "--jobs", paramLabel = "N", defaultValue = "1", description = "Driver threads (default: ${DEFAULT-VALUE}).")
    private int jobs;

    @Option(names = "--bs", paramLabel = "BYTES", defaultValue = "4k", description = "Size of a request: 512, 4k, 1m (default: ${DEFAULT-VALUE}).")
    private String blockSize;

    @Option(names = "--rw", paramLabel = "KIND", defaultValue = "randread", description = "read, write, rw, randread, randwrite or randrw (default: ${DEFAULT-VALUE}).")
    private String kind;

    @Option(names = "--read-percent", paramLabel = "P", description = "Share of reads in rw and randrw (default: 50).")
    private @Nullable Integer readPercent;

    @Option(names = "--seconds", paramLabel = "S", defaultValue = "5", description = "Length of the measurement (default: ${DEFAULT-VALUE}).")
    private double seconds;

    @Option(names = "--warm-up", paramLabel = "S", defaultValue = "2", description = "Load before it (default: ${DEFAULT-VALUE}).")
    private double warmUp;

    @Option(names = "--verify", description = "Writes carry a pattern; reads of what this run wrote are checked, and all of it is read back at the end.")
    private boolean verify;

    @Option(names = "--poll", description = "The driver spins for completions and asks for no calls.")
    private boolean poll;

    @Option(names = "--pid", paramLabel = "PID", description = "The backend's process, where the socket's peer is not it.")
    private @Nullable Integer pid;

    @Option(names = "--stats", paramLabel = "FILE", description = "The file of 'sluice serve --stats', for heap bytes, kicks, calls and enters a request.")
    private @Nullable Path stats;

    @Option(names = "--seed", paramLabel = "N", defaultValue = "1", description = "Seed of offsets and patterns (default: ${DEFAULT-VALUE}).")
    private long seed;

    @Option(names = "--json", paramLabel = "FILE", description = "Write the figures to this file as well.")
    private @Nullable Path json;

    @Spec
    private CommandSpec spec;

    @SuppressWarnings("NullAway.Init") // picocli sets the fields
    BenchCommand() {}

    @Override
    public Integer call() throws IOException, InterruptedException {
        if ((socket == null) == (onDevice.device() == null)) {
            throw new ParameterException(spec.commandLine(), "Missing required parameter: 'SOCKET', or '--device=PATH' instead of it");
        }
        if (json != null) {
            OutputFiles.check("--json", json);
        }
        if (onDevice.device() != null) {
            onDevice.run(devicePlan(onDevice.device()), json);
            return 0;
        }
        LoadPlan plan = plan();
        LinuxPlatform.ensureAvailable();
        BackendStats backendStats = stats == null ? BackendStats.NONE : BackendStats.in(stats);
        LoadReport report;
        try (BlockDriver driver = Disks.open(Objects.requireNonNull(socket), plan)) {
            BackendProcess backend = new BackendProcess(pid != null ? pid : driver.backendPid());
            report = new Load(plan, driver, backend, backendStats).run();
        }
        System.out.print(report.table());
        if (json != null) {
            new ObjectMapper().enable(SerializationFeature.INDENT_OUTPUT).writeValue(json.toFile(), report.json());
        }
        if (!report.clean()) {
            throw new LaunchException(report.all().errors() + " requests failed and " + report.wrongBlocks()
                    + " blocks were not what had been written; see the backend's log");
        }
        return 0;
    }

    private boolean sequential() {
        return !kind.startsWith("rand");
    }

    private int reads() {
        return switch (kind) {
            case "read", "randread" -> 100;
            case "write", "randwrite" -> 0;
            case "rw", "randrw" -> readPercent == null ? 50 : readPercent;
            default -> throw new ParameterException(
                    spec.commandLine(), "--rw '" + kind + "' is none of read, write, rw, randread, randwrite, randrw");
        };
    }

    private DevicePlan devicePlan(Path device) {
        try {
            return new DevicePlan(device, onDevice.direct(), depth, bytes(blockSize), reads(), sequential(), warmUp, seconds, seed);
        } catch (IllegalArgumentException wrong) {
            throw new ParameterException(spec.commandLine(), wrong.getMessage(), wrong);
        }
    }

    private LoadPlan plan() {
        try {
            return new LoadPlan(queues, depth, jobs, bytes(blockSize), reads(), sequential(), warmUp, seconds, verify, poll, seed);
        } catch (IllegalArgumentException wrong) {
            throw new ParameterException(spec.commandLine(), wrong.getMessage(), wrong);
        }
    }

    /** 512, 4k, 1m. */
    private static int bytes(String text) {
        String number = text.toLowerCase(Locale.ROOT).strip();
        int factor = number.endsWith("k") ? 1024 : number.endsWith("m") ? 1024 * 1024 : 1;
        try {
            return Math.multiplyExact(Integer.parseInt(factor == 1 ? number : number.substring(0, number.length() - 1)), factor);
        } catch (ArithmeticException | NumberFormatException wrong) {
            throw new IllegalArgumentException("block size '" + text + "' is not a number of bytes such as 512, 4k or 1m", wrong);
        }
    }
}
