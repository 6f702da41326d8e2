package dev.sluice.examples.launcher;

import dev.sluice.aio.uring.IoUringBackendProvider;
import dev.sluice.aio.uring.IoUringLoop;
import dev.sluice.aio.uring.IoUringLoopOptions;
import dev.sluice.device.BlockDevice;
import dev.sluice.device.BlockDeviceOptions;
import dev.sluice.linux.LinuxPlatform;
import dev.sluice.metrics.SluiceMetrics;
import dev.sluice.metrics.http.MonitoringServer;
import dev.sluice.pipeline.BackendOptions;
import dev.sluice.pipeline.BlockBackend;
import dev.sluice.pipeline.BlockPipeline;
import dev.sluice.pipeline.IoLoop;
import dev.sluice.server.cli.Commands;
import io.micrometer.prometheusmetrics.PrometheusConfig;
import io.micrometer.prometheusmetrics.PrometheusMeterRegistry;
import java.io.IOException;
import java.io.InputStream;
import java.io.RandomAccessFile;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ThreadLocalRandom;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;

/** A disk whose metrics Prometheus can scrape, a load on it, and an excerpt of a scrape. */
@Command(name = "prometheus", mixinStandardHelpOptions = true, description = "Open a disk with /metrics, put load on it, show an excerpt of a scrape.")
public final class Prometheus implements Callable<Integer> {
    private static final int DEPTH = 16;
    private static final int BLOCK_BYTES = 4096;
    private static final int BLOCKS = 1 << 16;
    private static final int READ_PERCENT = 70;
    private static final double MAX_SECONDS = 86_400;
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
    public Integer call() throws IOException {
        if (!(seconds > 0 && seconds <= MAX_SECONDS)) {
            throw new IllegalArgumentException("--seconds " + seconds + " is not above 0 and at most " + MAX_SECONDS);
        }
        LinuxPlatform.ensureAvailable();
        Path image = Files.createTempFile("sluice-prometheus-", ".img");
        try {
            try (RandomAccessFile file = new RandomAccessFile(image.toFile(), "rw")) {
                file.setLength((long) BLOCKS * BLOCK_BYTES);
            }
            measure(image);
        } finally {
            Files.delete(image);
        }
        return 0;
    }

    private void measure(Path image) throws IOException {
        PrometheusMeterRegistry registry = new PrometheusMeterRegistry(PrometheusConfig.DEFAULT);
        SluiceMetrics metrics = new SluiceMetrics("example", 1);
        metrics.bindTo(registry);
        InetSocketAddress address = new InetSocketAddress(InetAddress.getLoopbackAddress(), port);
        try (BlockBackend backend = new IoUringBackendProvider().open(BackendOptions.of(image));
                IoLoop loop = IoUringLoop.start("example", IoUringLoopOptions.DEFAULT);
                BlockPipeline pipeline = BlockPipeline.builder().backend(backend).observer(metrics).build();
                BlockDevice disk = BlockDevice.open(pipeline, List.of(loop), BlockDeviceOptions.defaults());
                MonitoringServer http = MonitoringServer.builder().address(address).registry(registry).start()) {
            URI url = URI.create("http://127.0.0.1:" + http.address().getPort() + "/metrics");
            System.out.println("scrape " + url);
            load(disk);
            sample(url);
        }
    }

    /** Reads and writes at random offsets: so many at a time, each followed by the next one until the time is over. */
    private void load(BlockDevice disk) {
        long end = System.nanoTime() + Duration.ofMillis((long) (seconds * 1000)).toNanos();
        Flux.range(0, DEPTH)
                .flatMap(_ -> {
                    ByteBuffer block = ByteBuffer.allocateDirect(BLOCK_BYTES);
                    return Mono.defer(() -> request(disk, block.clear())).repeat(() -> System.nanoTime() < end).then();
                }, DEPTH)
                .blockLast();
    }

    private static Mono<Integer> request(BlockDevice disk, ByteBuffer block) {
        ThreadLocalRandom random = ThreadLocalRandom.current();
        long offsetBytes = (long) random.nextInt(BLOCKS) * BLOCK_BYTES;
        return random.nextInt(100) < READ_PERCENT ? disk.read(offsetBytes, block) : disk.write(offsetBytes, block);
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
