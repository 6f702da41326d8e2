package dev.sluice.server;

import dev.sluice.linux.LinuxPlatform;
import dev.sluice.server.cli.LaunchException;
import dev.sluice.server.cli.LogLevel;
import dev.sluice.server.cli.Subcommand;
import dev.sluice.server.cli.Termination;
import dev.sluice.server.disk.DiskConfigServer;
import dev.sluice.server.disk.DiskHost;
import dev.sluice.server.disk.DiskOptions;
import dev.sluice.server.disk.DiskSpec;
import dev.sluice.server.disk.Endpoint;
import dev.sluice.server.disk.LoopOptions;
import dev.sluice.server.disk.LostSignals;
import dev.sluice.server.disk.Monitoring;
import dev.sluice.server.disk.MonitoringOptions;
import dev.sluice.server.disk.Observation;
import dev.sluice.server.disk.Disk;
import dev.sluice.server.disk.ServingStatus;
import dev.sluice.server.systemd.ActivatedSockets;
import dev.sluice.server.systemd.ServiceNotifier;
import dev.sluice.server.systemd.ServiceReporter;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import org.slf4j.LoggerFactory;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/**
 * Serves one image as a vhost-user-blk disk until it is asked to stop. Follows QEMU's "Backend program conventions": stays in the
 * foreground, prints one line on stdout when it is ready, drains and exits 0 on SIGTERM.
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
            "    -chardev socket,id=c0,path=SOCKET,reconnect-ms=1000 -device vhost-user-blk-pci,chardev=c0,num-queues=4",
            "(QEMU before 9.2: reconnect=1 in place of reconnect-ms=1000)"
        })
public final class ServeCommand implements Callable<Integer>, Subcommand {
    private static final String CAPABILITIES =
            """
            {
              "type": "block",
              "features": [
                "read-only",
                "blk-file"
              ]
            }""";

    static final class EndpointOptions {
        @Option(names = "--socket-path", paramLabel = "PATH", description = "Unix socket to listen on; created for its owner only.")
        @Nullable
        Path socketPath;

        @Option(names = "--fd", paramLabel = "FDNUM",
                description = "Serve on this inherited descriptor of a connected socket instead; exit when the connection closes.")
        @Nullable
        Integer fd;

        @Nullable
        Endpoint chosen() {
            return socketPath != null ? new Endpoint.SocketPath(socketPath) : fd != null ? new Endpoint.Descriptor(fd) : null;
        }
    }

    @ArgGroup(multiplicity = "0..1")
    private EndpointOptions endpoint = new EndpointOptions();

    /** Overrides all other options, as the conventions for vhost-user programs require. */
    @Option(names = "--print-capabilities", description = "Print the capabilities of this backend as JSON, and exit.")
    private boolean printCapabilities;

    @Option(names = "--config", paramLabel = "FILE", description = "Serve the disks that this YAML file lists instead; SIGHUP reads it again.")
    private @Nullable Path config;

    @Mixin
    private DiskOptions disk;

    @Mixin
    private LoopOptions loops;

    @Option(names = "--stats", paramLabel = "FILE", description = "Append a line of JSON with cumulative counts to this file every second.")
    private @Nullable Path stats;

    @Option(names = "--stats-interval", paramLabel = "S", defaultValue = "1",
            description = "Seconds between the lines of --stats, 0.05 to 3600 (default: ${DEFAULT-VALUE}).")
    private double statsIntervalSeconds;

    @Option(names = "--drain-timeout", paramLabel = "S", defaultValue = "30", description = {
        "Seconds to wait for requests that stages hold when a guest, a disk or the process stops, 0 to 86400; then they fail and are listed in the log, and"
                + " the",
        "process exits with 1 (default: ${DEFAULT-VALUE}). With --config: for disks without a drain-timeout of their own."})
    private double drainTimeoutSeconds;

    @Mixin
    @SuppressWarnings("UnusedVariable") // it takes effect when it is parsed
    private LogLevel logLevel;

    @Mixin
    private MonitoringOptions monitoring;

    @Spec
    private CommandSpec spec;

    @SuppressWarnings("NullAway.Init") // picocli sets the fields
    public ServeCommand() {}

    @Override
    public int helpOrder() {
        return 10;
    }

    @Override
    public Integer call() throws IOException, InterruptedException {
        if (printCapabilities) {
            System.out.println(CAPABILITIES);
            return 0;
        }
        if (config != null) {
            refuseDiskOptions();
        } else if (disk.image() == null) {
            throw new ParameterException(spec.commandLine(), "Missing required option: '--blk-file=IMAGE' or '--config=FILE'");
        }
        if (!(statsIntervalSeconds >= 0.05 && statsIntervalSeconds <= 3600)) {
            throw new ParameterException(spec.commandLine(), "--stats-interval " + statsIntervalSeconds + " is not from 0.05 to 3600");
        }
        Duration drainTimeout = drainTimeout();
        InetSocketAddress pages = monitoring.address();
        Observation observation = monitoring.observation(stats != null);
        LinuxPlatform.ensureAvailable();
        LostSignals.collectThem();
        ServiceNotifier manager = ServiceNotifier.of(System.getenv());
        try (ActivatedSockets sockets = ActivatedSockets.of(System.getenv(), ProcessHandle.current().pid())) {
            DiskSpec single = config == null ? single(sockets) : null;
            try (DiskHost host = DiskHost.start(loops.spec(), sockets);
                    ServiceReporter reporter = ServiceReporter.start(manager, () -> ServingStatus.of(host, config == null), host.loops());
                    // Before the socket exists: from that moment on a front end may have requests in flight.
                    Termination _ = Termination.closes(() -> stop(host, reporter), patience(host))) {
                host.drainTimeout(drainTimeout);
                if (stats != null) {
                    host.writeStats(stats, Duration.ofNanos((long) (statsIntervalSeconds * 1e9)));
                }
                host.observe(observation);
                // The pages first: if their port is taken, nobody has connected yet.
                try (Monitoring shown = pages == null ? null : Monitoring.start(pages, host)) {
                    String also = shown == null ? "" : "metrics: " + shown.url() + "/metrics\n";
                    if (single != null) {
                        serve(host, single, manager, also);
                    } else if (config != null) {
                        new DiskConfigServer(config, host, manager).serve(also);
                    }
                }
            }
        }
        return 0;
    }

    private static void serve(DiskHost host, DiskSpec wanted, ServiceNotifier manager, String also) throws IOException, InterruptedException {
        Disk served = host.add(wanted);
        // At once: a reader of the first line can rely on the second.
        System.out.print("ready: " + served.description() + "\n" + also);
        System.out.flush();
        manager.ready(ServingStatus.of(host, true));
        host.started();
        served.awaitEnd();
    }

    private static void stop(DiskHost host, ServiceReporter reporter) {
        reporter.draining();
        int disks = host.disks().size();
        LoggerFactory.getLogger(ServeCommand.class).info("terminating: waiting for requests in flight on {}", disks == 1 ? "1 disk" : disks + " disks");
        host.close();
        long failed = host.failedAtDrainLimit();
        if (failed > 0) {
            throw new LaunchException((failed == 1 ? "1 request" : failed + " requests")
                    + " failed because stages held them beyond --drain-timeout; the log lists them");
        }
    }

    private static Termination.Patience patience(DiskHost host) {
        return new Termination.Patience() {
            @Override
            public Duration limit() {
                return host.longestDrainTimeout();
            }

            @Override
            public void cutShort() {
                LoggerFactory.getLogger(ServeCommand.class).warn("second signal: failing the requests that stages hold");
                host.cutDrainShort();
            }
        };
    }

    private Duration drainTimeout() {
        try {
            return DiskSpec.drainTimeout(drainTimeoutSeconds);
        } catch (IllegalArgumentException outOfRange) {
            throw new ParameterException(spec.commandLine(), "--" + outOfRange.getMessage());
        }
    }

    private DiskSpec single(ActivatedSockets sockets) {
        Path image = disk.image();
        Endpoint where = endpoint.chosen();
        if (where instanceof Endpoint.SocketPath(Path path) && path.toString().isEmpty()) {
            throw new IllegalArgumentException("--socket-path is empty: set it to the path where front ends connect");
        }
        if (where != null && !sockets.names().isEmpty()) {
            // Not a field: a logger takes its level when it is created, and this class is loaded before --log-level is parsed.
            LoggerFactory.getLogger(ServeCommand.class)
                    .warn("ignoring {} from the service manager: serving on {}", String.join(", ", sockets.names()), where);
        }
        if (where == null && sockets.names().size() == 1) {
            where = new Endpoint.Activated(sockets.names().iterator().next());
        }
        if (where == null || image == null) {
            String passed = sockets.names().isEmpty() ? "" : " (the service manager has passed several sockets, " + String.join(", ", sockets.names())
                    + ": use --config)";
            throw new ParameterException(spec.commandLine(), "Missing required option: '--socket-path=PATH' or '--fd=FDNUM'" + passed);
        }
        return disk.spec(image, where);
    }

    /** The file describes the disks: an option for them next to it would silently have no effect. */
    private void refuseDiskOptions() {
        CommandSpec shapeOfDisk = Objects.requireNonNull(spec.mixins().get("disk"));
        List<OptionSpec> given = spec.commandLine().getParseResult().matchedOptions();
        for (OptionSpec option : given) {
            boolean ofDisk = option.names()[0].equals("--socket-path") || option.names()[0].equals("--fd")
                    || shapeOfDisk.findOption(option.longestName()) != null;
            if (ofDisk) {
                throw new ParameterException(spec.commandLine(), option.longestName() + " cannot be combined with --config: set it in the file");
            }
        }
    }
}
