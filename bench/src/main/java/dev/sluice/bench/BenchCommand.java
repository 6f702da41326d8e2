package dev.sluice.bench;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import dev.sluice.bench.device.DevicePlan;
import dev.sluice.bench.load.BackendStats;
import dev.sluice.bench.load.Load;
import dev.sluice.bench.load.LoadPlan;
import dev.sluice.bench.load.LoadReport;
import dev.sluice.bench.load.LoadedDisk;
import dev.sluice.bench.matrix.Matrix;
import dev.sluice.bench.matrix.MatrixSettings;
import dev.sluice.linux.LinuxPlatform;
import dev.sluice.server.cli.BackendProcess;
import dev.sluice.server.cli.LaunchException;
import dev.sluice.server.cli.OutputFiles;
import dev.sluice.server.cli.Subcommand;
import dev.sluice.server.disk.ByteSize;
import dev.sluice.virtio.driver.BlockDriver;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.function.Predicate;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** Load on any vhost-user-blk socket, Sluice's or another's, and the cost for the process that serves it. */
@Command(
        name = "bench",
        mixinStandardHelpOptions = true,
        sortOptions = false,
        description = "Put load on the vhost-user-blk disk behind a socket, or with --device on a file, and measure it; or measure all of Sluice with"
                + " --matrix.",
        footer = {
            "",
            "A job is a driver thread; the queues are split among the jobs; the depth is per queue. Latency is from the submission of a",
            "request to the driver's pass that reaped it. CPU is that of the whole backend process, its kernel workers included."
        })
public final class BenchCommand implements Callable<Integer>, Subcommand {
    /** The options that the matrix accepts; its rows define everything else. */
    private static final Set<String> ALSO_FOR_MATRIX =
            Set.of("--matrix", "--rounds", "--rows", "--out", "--dir", "--ram-dir", "--image-size", "--seconds", "--warm-up", "--cpus", "--spdk");

    /** Options that only apply to a socket. */
    private static final Set<String> NOT_FOR_DEVICE = Set.of("--queues", "--jobs", "--verify", "--poll", "--pid", "--stats");

    private static final Set<String> FOR_DEVICE = Set.of("--api", "--peers", "--backend", "--loop", "--buffered");

    private static final double SECONDS = 5;
    private static final double WARM_UP_SECONDS = 2;

    @Parameters(
            paramLabel = "SOCKET",
            arity = "0..1",
            description = "The backend's socket. The disk's content is overwritten unless --rw is read or randread.")
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

    @Option(names = "--rw", paramLabel = "KIND", defaultValue = "randread",
            description = "read, write, rw, randread, randwrite or randrw (default: ${DEFAULT-VALUE}).")
    private String kind;

    @Option(names = "--read-percent", paramLabel = "P", description = "Share of reads in rw and randrw (default: 50).")
    private @Nullable Integer readPercent;

    @Option(names = "--seconds", paramLabel = "S", description = "Length of the measurement (default: 5).")
    private @Nullable Double seconds;

    @Option(names = "--warm-up", paramLabel = "S", description = "Load before it (default: 2).")
    private @Nullable Double warmUp;

    @Option(names = "--rounds", paramLabel = "N",
            description = "With --device or --matrix: how often each is measured, round-robin (default: 1, the matrix 3).")
    private @Nullable Integer rounds;

    @Option(names = "--verify", description = "Write a pattern, check reads of what this run wrote, and read all of it back at the end.")
    private boolean verify;

    @Option(names = "--poll", description = "The driver spins for completions and suppresses interrupts.")
    private boolean poll;

    @Option(names = "--pid", paramLabel = "PID", description = "The backend's process, if it is not the socket's peer.")
    private @Nullable Integer pid;

    @Option(names = "--stats", paramLabel = "FILE",
            description = "The file of 'sluice serve --stats', for heap bytes, kicks, interrupts and enters per request.")
    private @Nullable Path stats;

    @Option(names = "--seed", paramLabel = "N", defaultValue = "1", description = "Seed of offsets and patterns (default: ${DEFAULT-VALUE}).")
    private long seed;

    @Option(names = "--json", paramLabel = "FILE", description = "Also write the figures to this file as JSON.")
    private @Nullable Path json;

    @Mixin
    private MatrixOptions matrix;

    @Spec
    private CommandSpec spec;

    @SuppressWarnings("NullAway.Init") // picocli sets the fields
    public BenchCommand() {}

    @Override
    public int helpOrder() {
        return 40;
    }

    @Override
    public Integer call() throws IOException, InterruptedException {
        if (matrix.wanted()) {
            return runMatrix();
        }
        Path disk = socket;
        Path device = onDevice.device();
        if (json != null) {
            OutputFiles.check("--json", json);
        }
        if (device != null && disk == null) {
            refuse(NOT_FOR_DEVICE::contains, "does not apply to --device, which loads one queue without a driver: use it with a SOCKET");
            onDevice.run(devicePlan(device), rounds == null ? 1 : rounds, json);
            return 0;
        }
        if (disk == null || device != null) {
            throw new ParameterException(spec.commandLine(), "Missing required parameter: one of 'SOCKET', '--device=PATH' and '--matrix'");
        }
        refuse(FOR_DEVICE::contains, "requires --device, not a SOCKET");
        LoadPlan plan = plan();
        LinuxPlatform.ensureAvailable();
        BackendStats backendStats = stats == null ? BackendStats.NONE : BackendStats.in(stats);
        LoadReport report;
        try (BlockDriver driver = LoadedDisk.open(disk, plan)) {
            BackendProcess backend = new BackendProcess(pid != null ? pid : driver.backendPid());
            if (pid != null && backend.cpuSeconds().isEmpty()) {
                throw new LaunchException("--pid " + pid + ": there is no such process");
            }
            report = new Load(plan, driver, backend, backendStats).run();
        }
        System.out.print(report.table());
        if (json != null) {
            new ObjectMapper().enable(SerializationFeature.INDENT_OUTPUT).writeValue(json.toFile(), report.json());
        }
        if (!report.clean()) {
            throw new LaunchException(report.all().errors() + " requests failed and " + report.wrongBlocks()
                    + " blocks had the wrong content; see the backend's log");
        }
        return 0;
    }

    private int runMatrix() throws IOException, InterruptedException {
        refuse(option -> !ALSO_FOR_MATRIX.contains(option), "does not apply to --matrix, whose rows define the load");
        if (socket != null) {
            throw new ParameterException(spec.commandLine(), "--matrix starts its own backends: it accepts no SOCKET ('" + socket + "')");
        }
        MatrixSettings settings;
        try {
            String typed = spec.commandLine().getParseResult().originalArgs().stream()
                    .skip(1)
                    .map(BenchCommand::quoted)
                    .collect(Collectors.joining(" ", "sluice bench ", ""));
            settings = matrix.settings(rounds, seconds, warmUp, typed);
        } catch (IllegalArgumentException wrong) {
            throw new ParameterException(spec.commandLine(), wrong.getMessage(), wrong);
        }
        LinuxPlatform.ensureAvailable();
        if (!new Matrix(settings, System.out).run()) {
            throw new LaunchException("rows of the matrix failed; see the tables for the reasons");
        }
        return 0;
    }

    /** Rejects an option that would silently have no effect. */
    private void refuse(Predicate<String> meaningless, String why) {
        for (OptionSpec option : spec.commandLine().getParseResult().matchedOptions()) {
            if (meaningless.test(option.longestName())) {
                throw new ParameterException(spec.commandLine(), option.longestName() + " " + why);
            }
        }
    }

    /** Quoted for a shell. */
    static String quoted(String argument) {
        return argument.matches("[\\w@%+=:,./-]+") ? argument : "'" + argument.replace("'", "'\\''") + "'";
    }

    private DevicePlan devicePlan(Path device) {
        try {
            return new DevicePlan(device, onDevice.direct(), depth, blockBytes(), readPercent(), sequential(), warmUpSeconds(), measuredSeconds(), seed);
        } catch (IllegalArgumentException wrong) {
            throw new ParameterException(spec.commandLine(), wrong.getMessage(), wrong);
        }
    }

    private LoadPlan plan() {
        try {
            return new LoadPlan(queues, depth, jobs, blockBytes(), readPercent(), sequential(), warmUpSeconds(), measuredSeconds(), verify, poll, seed);
        } catch (IllegalArgumentException wrong) {
            throw new ParameterException(spec.commandLine(), wrong.getMessage(), wrong);
        }
    }

    private boolean sequential() {
        return !kind.startsWith("rand");
    }

    private double warmUpSeconds() {
        return warmUp == null ? WARM_UP_SECONDS : warmUp;
    }

    private double measuredSeconds() {
        return seconds == null ? SECONDS : seconds;
    }

    private int readPercent() {
        if (readPercent != null && !kind.endsWith("rw")) {
            throw new ParameterException(spec.commandLine(), "--read-percent requires --rw rw or randrw, not " + kind);
        }
        return switch (kind) {
            case "read", "randread" -> 100;
            case "write", "randwrite" -> 0;
            case "rw", "randrw" -> readPercent == null ? 50 : readPercent;
            default -> throw new ParameterException(
                    spec.commandLine(), "--rw '" + kind + "' is not one of read, write, rw, randread, randwrite, randrw");
        };
    }

    private int blockBytes() {
        return (int) Math.min(Integer.MAX_VALUE, ByteSize.parse("--bs", blockSize));
    }
}
