package dev.sluice.metrics;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.pipeline.BlockOp;
import dev.sluice.pipeline.BlockPipeline;
import dev.sluice.pipeline.BlockRequest;
import dev.sluice.pipeline.BlockResult;
import dev.sluice.pipeline.BlockStage;
import dev.sluice.pipeline.PipelineObserver;
import dev.sluice.pipeline.StageFactory;
import dev.sluice.pipeline.testing.ManualLoop;
import dev.sluice.pipeline.testing.SimulatedBackend;
import io.micrometer.core.instrument.composite.CompositeMeterRegistry;
import io.micrometer.core.instrument.config.MeterFilter;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import io.micrometer.prometheusmetrics.PrometheusConfig;
import io.micrometer.prometheusmetrics.PrometheusMeterRegistry;
import java.util.List;
import org.junit.jupiter.api.Test;
import reactor.core.publisher.Mono;

/** What Prometheus reads. */
class PrometheusExpositionTest {
    private final PrometheusMeterRegistry registry = new PrometheusMeterRegistry(PrometheusConfig.DEFAULT).throwExceptionOnRegistrationFailure();
    private final SluiceMetrics metrics = new SluiceMetrics("disk0", 2);

    private List<String> lines() {
        return registry.scrape().lines().toList();
    }

    @Test
    void shouldShowARealHistogram() {
        metrics.bindTo(registry);
        metrics.requestCompleted(0, BlockOp.READ, 4096, 0, 1_000, 14_000, PipelineObserver.BYPASSED);
        metrics.requestCompleted(1, BlockOp.READ, 4096, 0, 0, 3_000_000, PipelineObserver.BYPASSED);
        assertThat(lines()).contains(
                "# TYPE sluice_request_duration_seconds histogram",
                "sluice_request_duration_seconds_bucket{device=\"disk0\",op=\"read\",le=\"1.0E-5\"} 0",
                "sluice_request_duration_seconds_bucket{device=\"disk0\",op=\"read\",le=\"2.0E-5\"} 1",
                "sluice_request_duration_seconds_bucket{device=\"disk0\",op=\"read\",le=\"0.005\"} 2",
                "sluice_request_duration_seconds_bucket{device=\"disk0\",op=\"read\",le=\"+Inf\"} 2",
                "sluice_request_duration_seconds_count{device=\"disk0\",op=\"read\"} 2",
                "sluice_request_duration_seconds_sum{device=\"disk0\",op=\"read\"} 0.003015");
    }

    @Test
    void shouldGiveHistogramsTheTagsThatTheRegistryGivesAllMeters() {
        registry.config().commonTags("host", "h1").meterFilter(MeterFilter.renameTag("sluice", "device", "disk"));
        metrics.bindTo(registry);
        assertThat(lines()).contains("sluice_request_duration_seconds_count{disk=\"disk0\",host=\"h1\",op=\"read\"} 0");
    }

    @Test
    void shouldShowTheFirstOfTwoDevicesOfOneName() {
        SluiceMetrics again = new SluiceMetrics("disk0", 2);
        PrometheusMeterRegistry lenient = new PrometheusMeterRegistry(PrometheusConfig.DEFAULT);
        metrics.bindTo(lenient);
        again.bindTo(lenient);
        metrics.requestCompleted(0, BlockOp.READ, 4096, 0, 1_000, 14_000, PipelineObserver.BYPASSED);
        assertThat(lenient.scrape().lines()).containsOnlyOnce("sluice_request_duration_seconds_count{device=\"disk0\",op=\"read\"} 1");
    }

    @Test
    void shouldShowHistogramsInACompositeWithPrometheusInIt() {
        CompositeMeterRegistry composite = new CompositeMeterRegistry();
        composite.add(new SimpleMeterRegistry());
        composite.add(registry);
        registry.config().commonTags("host", "h1");
        metrics.bindTo(composite);
        assertThat(lines()).contains("sluice_request_duration_seconds_count{device=\"disk0\",host=\"h1\",op=\"read\"} 0");
        metrics.unbindFrom(composite);
        assertThat(lines()).noneMatch(line -> line.contains("disk0"));
    }

    @Test
    void shouldShowHistogramsInCompositesWithinComposites() {
        CompositeMeterRegistry inner = new CompositeMeterRegistry();
        inner.add(registry);
        CompositeMeterRegistry outer = new CompositeMeterRegistry();
        outer.add(inner);
        // Without the gauge that tells which tags this registry gives to all meters, those of the composite are shown.
        registry.config().meterFilter(MeterFilter.denyNameStartsWith("sluice.device"));
        metrics.bindTo(outer);
        assertThat(lines()).contains("sluice_request_duration_seconds_count{device=\"disk0\",op=\"read\"} 0");
        metrics.unbindFrom(outer);
        assertThat(lines()).noneMatch(line -> line.contains("disk0"));
    }

    @Test
    void shouldDescribeTheHistogramsWhereThereIsNoDeviceYet() {
        metrics.bindTo(registry);
        metrics.unbindFrom(registry);
        RequestHistograms histograms = RequestHistograms.of(registry);
        assertThat(RequestHistograms.of(registry)).isSameAs(histograms);
        assertThat(histograms.getMetricFamilyDescriptor().getMetadata().getName()).isEqualTo("sluice_request_duration_seconds");
        assertThat(histograms.collect().getDataPoints()).isEmpty();
        assertThat(histograms.collect().getMetadata().getHelp()).isEqualTo(SluiceMeter.REQUEST_DURATION.description());
    }

    @Test
    void shouldShowTwoDevicesAndForgetOne() {
        SluiceMetrics other = new SluiceMetrics("disk1", 1);
        metrics.bindTo(registry);
        other.bindTo(registry);
        metrics.requestCompleted(1, BlockOp.WRITE, 512, 0, 0, 500_000_000, 0);
        assertThat(lines()).contains(
                "sluice_requests_completed_total{device=\"disk0\",op=\"write\",path=\"staged\",queue=\"1\"} 1.0",
                "sluice_request_bytes_total{device=\"disk0\",op=\"write\",queue=\"1\"} 512.0",
                "sluice_request_time_seconds_total{device=\"disk0\",op=\"write\",queue=\"1\"} 0.5",
                "sluice_requests_completed_total{device=\"disk1\",op=\"write\",path=\"staged\",queue=\"0\"} 0.0",
                "sluice_request_duration_seconds_count{device=\"disk1\",op=\"write\"} 0");
        metrics.unbindFrom(registry);
        assertThat(lines())
                .noneMatch(line -> line.contains("disk0"))
                .contains(
                        "sluice_request_bytes_total{device=\"disk1\",op=\"write\",queue=\"0\"} 0.0",
                        "sluice_request_duration_seconds_count{device=\"disk1\",op=\"write\"} 0");
        metrics.bindTo(registry);
        assertThat(lines()).contains("sluice_request_duration_seconds_count{device=\"disk0\",op=\"write\"} 1");
    }

    @Test
    void shouldShowPipelinesAndLoops() {
        try (ManualLoop loop = new ManualLoop();
                SimulatedBackend backend = SimulatedBackend.ofSize(1 << 20);
                BlockPipeline pipeline = BlockPipeline.builder().backend(backend).observer(metrics).build()) {
            new PipelineMetrics("disk0", backend.name(), pipeline, List.of(loop)).bindTo(registry);
            new LoopMetrics(List.of(loop)).bindTo(registry);
            loop.tick();
            assertThat(lines())
                    .contains("sluice_device_size_bytes{device=\"disk0\"} 1048576.0")
                    .contains("sluice_device_missing_bytes{device=\"disk0\"} 0.0")
                    .contains("sluice_device_writeback_failed{device=\"disk0\"} 0.0")
                    .contains("sluice_sink_retries_total{device=\"disk0\",loop=\"" + loop.name() + "\"} 0.0")
                    .anyMatch(line -> line.startsWith("sluice_device_description{backend=\"" + backend.name() + "\",device=\"disk0\",pipeline=\"queue"))
                    .anyMatch(line -> line.startsWith("sluice_loop_cpu_time_seconds_total{loop="))
                    .anyMatch(line -> line.startsWith("sluice_loop_busy_time_seconds_total{loop="))
                    .contains("sluice_loop_ticks_total{loop=\"" + loop.name() + "\"} " + (double) loop.counters().ticks());
        }
    }

    /** A stage that publishes how often it was used, and nothing else. */
    private static StageFactory counting(String name, long hits) {
        return context -> {
            context.counter("cache.hits", "Reads from memory.").add(hits);
            context.gauge("cache.dirty.bytes", "Bytes to be written.", () -> hits * 512);
            return new BlockStage() {
                @Override
                public Mono<BlockResult> handle(BlockRequest request, Chain chain) {
                    return chain.proceed(request);
                }

                @Override
                public String name() {
                    return name;
                }
            };
        };
    }

    @Test
    void shouldShowTheMetersOfStages() {
        try (ManualLoop loop = new ManualLoop();
                SimulatedBackend backend = SimulatedBackend.ofSize(1 << 20);
                BlockPipeline pipeline = BlockPipeline.builder()
                        .backend(backend)
                        .stage(counting("first", 3))
                        .stage(counting("second", 5))
                        .stage(counting("first", 7))
                        .build()) {
            PipelineMetrics bound = new PipelineMetrics("disk0", backend.name(), pipeline, List.of(loop));
            bound.bindTo(registry);
            System.gc();
            assertThat(lines()).contains(
                    "# HELP sluice_stage_cache_hits_total Reads from memory.",
                    "# TYPE sluice_stage_cache_hits_total counter",
                    "sluice_stage_cache_hits_total{device=\"disk0\",stage=\"first\"} 3.0",
                    "sluice_stage_cache_hits_total{device=\"disk0\",stage=\"second\"} 5.0",
                    "sluice_stage_cache_hits_total{device=\"disk0\",stage=\"first-2\"} 7.0",
                    "# TYPE sluice_stage_cache_dirty_bytes gauge",
                    "sluice_stage_cache_dirty_bytes{device=\"disk0\",stage=\"second\"} 2560.0");
            bound.unbindFrom(registry);
            assertThat(lines()).noneMatch(line -> line.contains("sluice_stage"));
        }
    }
}
