package dev.sluice.server.disk;

import dev.sluice.metrics.LoopMetrics;
import dev.sluice.metrics.PipelineMetrics;
import dev.sluice.metrics.http.LoopHealth;
import dev.sluice.metrics.http.MonitoringServer;
import io.micrometer.prometheusmetrics.PrometheusConfig;
import io.micrometer.prometheusmetrics.PrometheusMeterRegistry;
import java.io.IOException;
import java.net.Inet6Address;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;

/**
 * The disks of a process over HTTP: {@code /metrics}, {@code /healthz} (every loop responds), {@code /readyz} (a disk is served) and {@code /devices}.
 * The host notifies it of added and removed disks.
 *
 * <p><b>Threading:</b> any thread. <b>Ownership:</b> the host stays the caller's, who closes it after this.
 */
public final class Monitoring implements DiskListener, AutoCloseable {
    private static final Duration LOOP_PATIENCE = Duration.ofSeconds(2);

    private final DiskHost host;
    private final PrometheusMeterRegistry registry = new PrometheusMeterRegistry(PrometheusConfig.DEFAULT);
    /** Kept, because Micrometer refers to it weakly. */
    private final Map<Disk, PipelineMetrics> shown = new HashMap<>();
    private final InetAddress asked;
    private final MonitoringServer server;

    private Monitoring(InetSocketAddress address, DiskHost host) throws IOException {
        this.host = host;
        this.asked = address.getAddress();
        new LoopMetrics(host.loops()).bindTo(registry);
        this.server = MonitoringServer.builder()
                .address(address)
                .registry(registry)
                .health(new LoopHealth(host.loops(), LOOP_PATIENCE))
                .readiness(this::readiness)
                .json("/devices", new DevicesPage(host::disks))
                .start();
        host.listen(this);
    }

    /**
     * Starts serving.
     *
     * @throws IOException with one line that names the address and the remedy
     */
    public static Monitoring start(InetSocketAddress address, DiskHost host) throws IOException {
        return new Monitoring(address, host);
    }

    /** The URL of the pages, with the port that was chosen. Keeps the requested address: for 0.0.0.0 the server reports the IPv6 one. */
    public String url() {
        String ip = asked.getHostAddress();
        return "http://" + (asked instanceof Inet6Address ? "[" + ip + "]" : ip) + ":" + server.address().getPort();
    }

    private Optional<String> readiness() {
        return host.disks().isEmpty() ? Optional.of("no disk is served") : Optional.empty();
    }

    @Override
    public synchronized void diskAdded(Disk disk) {
        PipelineMetrics pipeline = new PipelineMetrics(disk.name(), disk.backendName(), disk.pipeline(), host.loops());
        disk.metrics().bindTo(registry);
        pipeline.bindTo(registry);
        shown.put(disk, pipeline);
    }

    @Override
    public synchronized void diskRemoved(Disk disk) {
        disk.metrics().unbindFrom(registry);
        PipelineMetrics pipeline = shown.remove(disk);
        if (pipeline != null) {
            pipeline.unbindFrom(registry);
        }
    }

    @Override
    public void close() {
        host.unlisten(this);
        server.close();
        registry.close();
    }
}
