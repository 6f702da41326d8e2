package dev.sluice.examples.launcher;

import dev.sluice.examples.cli.Commands;
import dev.sluice.examples.disk.DiskHost;
import dev.sluice.examples.disk.DiskSpec;
import dev.sluice.examples.disk.Endpoint;
import dev.sluice.examples.disk.LoopSpec;
import dev.sluice.examples.disk.Observation;
import dev.sluice.examples.disk.ServedDisk;
import dev.sluice.examples.load.BackendProcess;
import dev.sluice.examples.load.BackendStats;
import dev.sluice.examples.load.Load;
import dev.sluice.examples.load.LoadPlan;
import dev.sluice.examples.systemd.ActivatedSockets;
import dev.sluice.linux.LinuxPlatform;
import dev.sluice.metrics.http.MonitoringServer;
import dev.sluice.virtio.driver.BlockDriver;
import dev.sluice.virtio.driver.BlockDriverOptions;
import dev.sluice.virtio.driver.QueueShape;
import io.micrometer.prometheusmetrics.PrometheusConfig;
import io.micrometer.prometheusmetrics.PrometheusMeterRegistry;
import java.io.IOException;
import java.io.InputStream;
import java.io.RandomAccessFile;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** A served disk whose metrics Prometheus can scrape, a load on it, and an excerpt of a scrape. */
@Command(name = "prometheus", mixinStandardHelpOptions = true, description = "Serve a disk with /metrics, put load on it, show an excerpt of a scrape.")
public final class Prometheus implements Callable<Integer> {
    private static final int QUEUES = 2;
    private static final int DEPTH = 16;
    private static final int BLOCK_BYTES = 4096;
    private static final int SAMPLE_LINES = 16;

    @Option(names = "--seconds", paramLabel = "S", defaultValue = "3", description = "Length of the load (default: ${DEFAULT-VALUE}).")
    private double seconds;

    @Option(names = "--port", paramLabel = "N", defaultValue = "0", description = "Port on the loopback interface (default: any free port).")
    private int port;

    @SuppressWarnings("NullAway.Init") // picocli sets the fields
    public Prometheus() {}

    public static void main(String[] arguments) {
        Commands.run(new Prometheus(), arguments);
    }

    @Override
    public Integer call() throws IOException, InterruptedException {
        // Before anything is created that a wrong option would leave behind.
        LoadPlan plan = new LoadPlan(QUEUES, DEPTH, 1, BLOCK_BYTES, 70, false, 0, seconds, false, false, 1);
        LinuxPlatform.ensureAvailable();
        Path directory = Files.createTempDirectory("sluice-prometheus-");
        Path image = directory.resolve("disk.img");
        Path socket = directory.resolve("disk.sock");
        try {
            try (RandomAccessFile file = new RandomAccessFile(image.toFile(), "rw")) {
                file.setLength(256 << 20);
            }
            serve(DiskSpec.of(image, new Endpoint.SocketPath(socket)).name("example").queues(QUEUES).build(), socket, plan);
        } finally {
            Files.deleteIfExists(image);
            Files.deleteIfExists(directory);
        }
        return 0;
    }

    private void serve(DiskSpec spec, Path socket, LoadPlan plan) throws IOException, InterruptedException {
        PrometheusMeterRegistry registry = new PrometheusMeterRegistry(PrometheusConfig.DEFAULT);
        InetSocketAddress address = new InetSocketAddress(InetAddress.getLoopbackAddress(), port);
        try (DiskHost host = DiskHost.start(LoopSpec.DEFAULT, ActivatedSockets.none());
                MonitoringServer http = MonitoringServer.builder().address(address).registry(registry).start()) {
            host.observe(Observation.COUNTED);
            ServedDisk disk = host.add(spec);
            disk.metrics().bindTo(registry);
            URI url = URI.create("http://127.0.0.1:" + http.address().getPort() + "/metrics");
            System.out.println("scrape " + url);
            load(socket, plan);
            sample(url);
        }
    }

    private static void load(Path socket, LoadPlan plan) throws IOException, InterruptedException {
        BlockDriverOptions options = BlockDriverOptions.defaults().withQueues(QUEUES).withShape(QueueShape.of(64, DEPTH, BLOCK_BYTES));
        try (BlockDriver driver = BlockDriver.open(socket.toString(), options)) {
            new Load(plan, driver, new BackendProcess(driver.backendPid()), BackendStats.NONE).run();
        }
    }

    /** Some non-zero series of one queue's reads, as Prometheus would read them. */
    private static void sample(URI url) throws IOException {
        try (InputStream page = url.toURL().openStream()) {
            String text = new String(page.readAllBytes(), StandardCharsets.UTF_8);
            text.lines()
                    .filter(line -> line.contains(",op=\"read\"") && line.contains("queue=\"0\"") && !line.contains("_bucket{") && !line.endsWith(" 0.0"))
                    .limit(SAMPLE_LINES)
                    .forEach(line -> System.out.println("  " + line));
            System.out.println("  ... " + text.lines().filter(line -> !line.startsWith("#")).count() + " series in all");
        }
    }
}
