/**
 * What pipelines did: their loops count it in plain longs, Micrometer reads it on each scrape.
 *
 * <p>Reading order: {@link dev.sluice.metrics.SluiceMeter} (the meters), {@link dev.sluice.metrics.SluiceMetrics} (a device), {@code QueueCounters} (what
 * a loop writes), {@link dev.sluice.metrics.LatencyBuckets}, {@link dev.sluice.metrics.PipelineMetrics}, {@link dev.sluice.metrics.LoopMetrics},
 * {@link dev.sluice.metrics.MetricsSnapshot}.
 */
@NullMarked
package dev.sluice.metrics;

import org.jspecify.annotations.NullMarked;
