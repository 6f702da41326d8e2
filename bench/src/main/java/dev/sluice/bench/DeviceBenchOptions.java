package dev.sluice.bench;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import dev.sluice.bench.device.DeviceBench;
import dev.sluice.bench.device.DevicePlan;
import dev.sluice.bench.device.DeviceReport;
import dev.sluice.pipeline.Providers;
import dev.sluice.pipeline.Ranges;
import dev.sluice.server.cli.LaunchException;
import java.io.IOException;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** The options of {@code bench} for loading a file instead of a socket. Filled by picocli, then read. */
final class DeviceBenchOptions {
    private static final int MOST_ROUNDS = 1000;

    @Option(names = "--device", paramLabel = "PATH", description = {
        "Load this file or block device, without socket and guest: the bare sink of a backend.",
        "Its content is overwritten unless --rw is read or randread."})
    private @Nullable Path device;

    @Option(names = "--api", description = "With --device: load BlockDevice, with a Mono per request, instead of the bare sink.")
    private boolean api;

    @Option(names = "--peers", description = {
        "With --device: all backends, as sink and as BlockDevice, and fio (io_uring, libaio), AsynchronousFileChannel",
        "and virtual threads on FileChannel, round-robin."})
    private boolean peers;

    @Option(names = "--backend", paramLabel = "NAME", defaultValue = Providers.AUTO,
            description = "With --device: the backend that reads and writes it (default: ${DEFAULT-VALUE}).")
    private String backend;

    @Option(names = "--loop", paramLabel = "NAME", defaultValue = Providers.AUTO, description = "With --device: the kind of loop (default: ${DEFAULT-VALUE}).")
    private String loop;

    @Option(names = "--buffered", description = "With --device: go through the page cache instead of O_DIRECT.")
    private boolean buffered;

    @SuppressWarnings("NullAway.Init") // picocli sets the fields
    DeviceBenchOptions() {}

    @Nullable
    Path device() {
        return device;
    }

    boolean direct() {
        return !buffered;
    }

    void run(DevicePlan plan, int rounds, @Nullable Path json) throws IOException, InterruptedException {
        Ranges.require("--rounds", rounds, 1, MOST_ROUNDS);
        DeviceBench bench = peers
                ? DeviceBench.withPeers(plan, rounds, backend, loop, System.err::println)
                : DeviceBench.of(plan, rounds, backend, loop, api, System.err::println);
        DeviceReport report = bench.run();
        System.out.print(report.table());
        if (json != null) {
            new ObjectMapper().enable(SerializationFeature.INDENT_OUTPUT).writeValue(json.toFile(), report.json());
        }
        if (report.errors() > 0) {
            throw new LaunchException(report.errors() + " requests failed");
        }
    }
}
