package dev.sluice.metrics;

import dev.sluice.pipeline.BlockOp;
import io.micrometer.prometheusmetrics.PrometheusMeterRegistry;
import io.prometheus.metrics.model.registry.Collector;
import io.prometheus.metrics.model.snapshots.ClassicHistogramBuckets;
import io.prometheus.metrics.model.snapshots.HistogramSnapshot;
import io.prometheus.metrics.model.snapshots.HistogramSnapshot.HistogramDataPointSnapshot;
import io.prometheus.metrics.model.snapshots.Labels;
import io.prometheus.metrics.model.snapshots.MetricFamilyDescriptor;
import io.prometheus.metrics.model.snapshots.MetricSnapshot;
import java.util.List;
import java.util.Map;
import java.util.WeakHashMap;
import java.util.concurrent.CopyOnWriteArrayList;

/**
 * The latency histograms of all devices of a Prometheus registry. Micrometer has no histogram over counts that somebody else keeps; the
 * Prometheus library has.
 *
 * <p><b>Threading:</b> any thread.
 */
final class RequestHistograms implements Collector {
    private static final String NAME = "sluice_request_duration_seconds";
    private static final String[] LABELS = {SluiceKey.DEVICE.asString(), SluiceKey.OP.asString()};
    private static final double[] UPPER_BOUNDS = upperBounds();
    private static final Map<PrometheusMeterRegistry, RequestHistograms> OF_REGISTRY = new WeakHashMap<>();

    private final List<SluiceMetrics> devices = new CopyOnWriteArrayList<>();

    private RequestHistograms() {}

    /** The ones of a registry: of one name there can be one collector. */
    static RequestHistograms of(PrometheusMeterRegistry registry) {
        synchronized (OF_REGISTRY) {
            RequestHistograms known = OF_REGISTRY.get(registry);
            if (known == null) {
                known = new RequestHistograms();
                registry.getPrometheusRegistry().register(known);
                OF_REGISTRY.put(registry, known);
            }
            return known;
        }
    }

    private static double[] upperBounds() {
        double[] bounds = new double[LatencyBuckets.COUNT];
        for (int i = 0; i < bounds.length; i++) {
            bounds[i] = LatencyBuckets.upperBoundSeconds(i);
        }
        return bounds;
    }

    void add(SluiceMetrics device) {
        devices.add(device);
    }

    void remove(SluiceMetrics device) {
        devices.remove(device);
    }

    @Override
    public MetricSnapshot collect() {
        HistogramSnapshot.Builder all = HistogramSnapshot.builder().name(NAME).help(SluiceMeter.REQUEST_DURATION.description());
        for (SluiceMetrics device : devices) {
            for (BlockOp op : BlockOp.values()) {
                all.dataPoint(HistogramDataPointSnapshot.builder()
                        .labels(Labels.of(LABELS, new String[] {device.device(), SluiceMetrics.tagValue(op)}))
                        .classicHistogramBuckets(ClassicHistogramBuckets.of(UPPER_BOUNDS, device.buckets(op)))
                        .sum(device.seconds(op))
                        .build());
            }
        }
        return all.build();
    }

    @Override
    public MetricFamilyDescriptor getMetricFamilyDescriptor() {
        return MetricFamilyDescriptor.histogram(NAME).help(SluiceMeter.REQUEST_DURATION.description()).labelNames(LABELS).build();
    }
}
