/**
 * Metrics, health and state of a process over HTTP.
 *
 * <p>Reading order: {@link dev.sluice.metrics.http.MonitoringServer}, {@code ExpositionFormat}, {@code Shared}, {@link dev.sluice.metrics.http.LoopHealth}.
 */
@NullMarked
package dev.sluice.metrics.http;

import org.jspecify.annotations.NullMarked;
