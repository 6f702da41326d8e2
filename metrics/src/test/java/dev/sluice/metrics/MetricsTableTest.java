package dev.sluice.metrics;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.pipeline.BlockPipeline;
import dev.sluice.pipeline.testing.ManualLoop;
import dev.sluice.pipeline.testing.SimulatedBackend;
import io.micrometer.common.docs.KeyName;
import io.micrometer.core.instrument.Meter;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.Tag;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import io.micrometer.prometheusmetrics.PrometheusNamingConvention;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;

/** {@code docs/metrics.md} says what there is. {@code -Dsluice.docs.write=true} writes its tables anew. */
class MetricsTableTest {
    private static final Path DOCUMENT = Path.of("..", "docs", "metrics.md");
    private static final String BEGIN = "<!-- tables: begin -->\n";
    private static final String END = "<!-- tables: end -->";

    @Test
    void shouldAgreeWithTheDocument() throws IOException {
        String document = Files.readString(DOCUMENT);
        int begin = document.indexOf(BEGIN) + BEGIN.length();
        int end = document.indexOf(END);
        assertThat(begin).isGreaterThan(BEGIN.length());
        assertThat(end).isGreaterThan(begin);
        if (Boolean.getBoolean("sluice.docs.write")) {
            Files.writeString(DOCUMENT, document.substring(0, begin) + tables() + document.substring(end));
        } else {
            assertThat(document.substring(begin, end)).as("run this test with -Dsluice.docs.write=true to regenerate it").isEqualTo(tables());
        }
    }

    private static String tables() {
        StringBuilder text = new StringBuilder("\n| Prometheus | type | labels | what |\n|---|---|---|---|\n");
        for (SluiceMeter meter : SluiceMeter.values()) {
            if (meter != SluiceMeter.REQUEST_DURATION_BUCKET) {
                text.append("| `").append(prometheusName(meter)).append("` | ").append(type(meter)).append(" | ")
                        .append(keys(meter).stream().map(key -> "`" + key + "`").collect(Collectors.joining(", "))).append(" | ")
                        .append(meter.description()).append(" |\n");
            }
        }
        text.append("\n| label | values |\n|---|---|\n");
        for (SluiceKey key : SluiceKey.values()) {
            text.append("| `").append(key.asString()).append("` | ").append(key.description()).append(" |\n");
        }
        return text.append("\n").toString();
    }

    private static String prometheusName(SluiceMeter meter) {
        return new PrometheusNamingConvention().name(meter.getName(), meter.getType(), meter.getBaseUnit())
                + (meter.getType() == Meter.Type.COUNTER ? "_total" : "");
    }

    private static String type(SluiceMeter meter) {
        return switch (meter.getType()) {
            case COUNTER -> "counter";
            case GAUGE -> "gauge";
            case TIMER -> "histogram";
            default -> throw new AssertionError(meter);
        };
    }

    private static List<String> keys(SluiceMeter meter) {
        return Arrays.stream(meter.getKeyNames()).map(KeyName::asString).toList();
    }

    @Test
    void shouldDocumentEveryMeterWithItsTypeUnitAndTags() {
        MeterRegistry registry = new SimpleMeterRegistry();
        SluiceMetrics metrics = new SluiceMetrics("disk0", 1);
        try (ManualLoop loop = new ManualLoop();
                SimulatedBackend backend = SimulatedBackend.ofSize(1 << 20);
                BlockPipeline pipeline = BlockPipeline.builder().backend(backend).build()) {
            metrics.bindTo(registry);
            new PipelineMetrics("disk0", backend.name(), pipeline, List.of(loop)).bindTo(registry);
            new LoopMetrics(List.of(loop)).bindTo(registry);
            Set<String> seen = new TreeSet<>();
            for (Meter meter : registry.getMeters()) {
                SluiceMeter documented =
                        Arrays.stream(SluiceMeter.values()).filter(one -> one.getName().equals(meter.getId().getName())).findAny().orElseThrow();
                assertThat(meter.getId().getTags()).extracting(Tag::getKey).as(documented.getName()).containsExactlyInAnyOrderElementsOf(keys(documented));
                assertThat(meter.getId().getBaseUnit()).isEqualTo(documented.getBaseUnit());
                assertThat(meter.getId().getType()).isEqualTo(documented.getType());
                seen.add(documented.getName());
            }
            Set<String> all = Arrays.stream(SluiceMeter.values()).map(SluiceMeter::getName).collect(Collectors.toCollection(TreeSet::new));
            // A Prometheus registry has the histogram itself, all others have its buckets.
            all.remove(SluiceMeter.REQUEST_DURATION.getName());
            assertThat(seen).isEqualTo(all);
        }
    }
}
