package dev.sluice.metrics;

import dev.sluice.pipeline.BlockOp;
import io.micrometer.core.instrument.Tag;
import io.micrometer.core.instrument.Tags;
import io.micrometer.core.instrument.config.NamingConvention;
import io.micrometer.prometheusmetrics.PrometheusMeterRegistry;
import io.prometheus.metrics.model.registry.Collector;
import io.prometheus.metrics.model.snapshots.ClassicHistogramBuckets;
import io.prometheus.metrics.model.snapshots.HistogramSnapshot;
import io.prometheus.metrics.model.snapshots.HistogramSnapshot.HistogramDataPointSnapshot;
import io.prometheus.metrics.model.snapshots.Labels;
import io.prometheus.metrics.model.snapshots.MetricFamilyDescriptor;
import io.prometheus.metrics.model.snapshots.MetricSnapshot;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.WeakHashMap;
import java.util.concurrent.CopyOnWriteArrayList;

/**
 * The latency histograms of all devices of a Prometheus registry. Micrometer cannot publish a histogram over counts that are kept elsewhere; the
 * Prometheus library can.
 *
 * <p><b>Threading:</b> any thread.
 */
final class RequestHistograms implements Collector {
    private static final String NAME = "sluice_request_duration_seconds";
    private static final String[] LABELS = {SluiceKey.DEVICE.asString(), SluiceKey.OP.asString()};
    private static final double[] UPPER_BOUNDS = upperBounds();
    private static final Map<PrometheusMeterRegistry, RequestHistograms> OF_REGISTRY = new WeakHashMap<>();

    private final NamingConvention names;
    private final List<Shown> devices = new CopyOnWriteArrayList<>();

    /** A device and its tags, which are those of its other meters in this registry. */
    private record Shown(SluiceMetrics device, Tags tags) {}

    private RequestHistograms(NamingConvention names) {
        this.names = names;
    }

    /** The histograms of a registry: it accepts only one collector per name. */
    static RequestHistograms of(PrometheusMeterRegistry registry) {
        synchronized (OF_REGISTRY) {
            RequestHistograms known = OF_REGISTRY.get(registry);
            if (known == null) {
                known = new RequestHistograms(registry.config().namingConvention());
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

    void add(SluiceMetrics device, Tags tags) {
        devices.add(new Shown(device, tags));
    }

    void remove(SluiceMetrics device) {
        devices.removeIf(shown -> shown.device() == device);
    }

    @Override
    public MetricSnapshot collect() {
        HistogramSnapshot.Builder all = HistogramSnapshot.builder().name(NAME).help(SluiceMeter.REQUEST_DURATION.description());
        Set<Labels> taken = new HashSet<>();
        for (Shown shown : devices) {
            SluiceMetrics device = shown.device();
            for (BlockOp op : BlockOp.values()) {
                Labels labels = labels(shown.tags().and(SluiceKey.OP.asString(), SluiceMetrics.tagValue(op)));
                // As with meters: if two devices share a name, the first is shown.
                if (taken.add(labels)) {
                    all.dataPoint(HistogramDataPointSnapshot.builder()
                            .labels(labels)
                            .classicHistogramBuckets(ClassicHistogramBuckets.of(UPPER_BOUNDS, device.buckets(op)))
                            .sum(device.seconds(op))
                            .build());
                }
            }
        }
        return all.build();
    }

    private Labels labels(Tags tags) {
        Labels.Builder labels = Labels.builder();
        for (Tag tag : tags) {
            labels.label(names.tagKey(tag.getKey()), names.tagValue(tag.getValue()));
        }
        return labels.build();
    }

    @Override
    public MetricFamilyDescriptor getMetricFamilyDescriptor() {
        return MetricFamilyDescriptor.histogram(NAME).help(SluiceMeter.REQUEST_DURATION.description()).labelNames(LABELS).build();
    }
}
