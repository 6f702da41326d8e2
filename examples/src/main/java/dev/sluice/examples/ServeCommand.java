package dev.sluice.examples;

import dev.sluice.examples.disk.DiskHost;
import dev.sluice.examples.disk.DiskOptions;
import dev.sluice.examples.disk.DiskSpec;
import dev.sluice.examples.disk.Endpoint;
import dev.sluice.examples.disk.LoopOptions;
import dev.sluice.examples.disk.Monitoring;
import dev.sluice.examples.disk.MonitoringOptions;
import dev.sluice.examples.disk.Observation;
import dev.sluice.examples.disk.ServedDisk;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
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

    static final class EndpointOptions {
        @Option(names = "--socket-path", paramLabel = "PATH", description = "Unix socket to listen on; created for its owner only.")
        @Nullable Path socketPath;

        @Option(names = "--fd", paramLabel = "FDNUM", description = "Serve on this inherited descriptor of a connected socket instead; ends with the connection.")
        @Nullable Integer fd;

        @Nullable Endpoint chosen() {
            return socketPath != null ? new Endpoint.SocketPath(socketPath) : fd != null ? new Endpoint.Descriptor(fd) : null;
        }
    }

    @ArgGroup(multiplicity = "0..1")
    private EndpointOptions endpoint = new EndpointOptions();

    /** Whatever other options say, as the conventions of vhost-user programs have it. */
    @Option(names = "--print-capabilities", description = "Print what this backend can do as JSON, and exit.")
    private boolean printCapabilities;

    @Mixin
    private DiskOptions disk;

    @Mixin
    private LoopOptions loops;

    @Option(names = "--stats", paramLabel = "FILE", description = "Append a line of JSON with cumulative counts to this file each second.")
    private @Nullable Path stats;

    @Option(names = "--stats-interval", paramLabel = "S", defaultValue = "1", description = "Seconds between the lines of --stats, 0.05 to 3600 (default: ${DEFAULT-VALUE}).")
    private double statsIntervalSeconds;

    @Mixin
    private MonitoringOptions monitoring;

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
        Endpoint where = endpoint.chosen();
        if (where == null) {
            throw new ParameterException(spec.commandLine(), "Missing required option: '--socket-path=PATH' or '--fd=FDNUM'");
        }
        Path image = disk.image();
        if (image == null) {
            throw new ParameterException(spec.commandLine(), "Missing required option: '--blk-file=IMAGE'");
        }
        if (!(statsIntervalSeconds >= 0.05 && statsIntervalSeconds <= 3600)) {
            throw new ParameterException(spec.commandLine(), "--stats-interval " + statsIntervalSeconds + " is not from 0.05 to 3600");
        }
        DiskSpec wanted = disk.spec(image, where);
        InetSocketAddress pages = monitoring.address();
        Observation observation = monitoring.observation(stats != null);
        try (DiskHost host = DiskHost.start(loops.spec())) {
            // The hook first: from the moment that the socket is there, somebody may have requests in flight.
            Thread onSignal = Thread.ofPlatform().unstarted(() -> stop(host));
            Runtime.getRuntime().addShutdownHook(onSignal);
            try {
                if (stats != null) {
                    host.writeStats(stats, Duration.ofNanos((long) (statsIntervalSeconds * 1e9)));
                }
                host.observe(observation);
                // The pages first: where their port is taken nobody has connected yet.
                try (Monitoring shown = pages == null ? null : Monitoring.start(pages, host)) {
                    ServedDisk served = host.add(wanted);
                    // At once: who has read the first line can rely on the second.
                    System.out.print("ready: " + served.description() + "\n" + (shown == null ? "" : "metrics: " + shown.url() + "/metrics\n"));
                    System.out.flush();
                    served.server().awaitEnd();
                }
            } finally {
                if (!withdraw(onSignal)) {
                    // The signal's thread ends the process once everything is closed.
                    onSignal.join();
                }
            }
        }
        return 0;
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
    private static void stop(DiskHost host) {
        int status = SluiceCommand.FAILED;
        try {
            host.close();
            status = 0;
        } finally {
            Runtime.getRuntime().halt(status);
        }
    }
}
