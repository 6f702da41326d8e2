/**
 * What pipelines did, counted on their loops by plain longs and read by Micrometer when it is scraped.
 *
 * <p>Reading order: {@link dev.sluice.metrics.SluiceMeter} (what there is), {@link dev.sluice.metrics.SluiceMetrics} (a device), {@code QueueCounters} (what
 * a loop writes), {@link dev.sluice.metrics.LatencyBuckets}, {@link dev.sluice.metrics.PipelineMetrics}, {@link dev.sluice.metrics.LoopMetrics},
 * {@link dev.sluice.metrics.MetricsSnapshot}.
 */
@NullMarked
package dev.sluice.metrics;

import org.jspecify.annotations.NullMarked;
