/** JMH benchmarks: {@link dev.sluice.benchmarks.SinkBenchmark}, {@link dev.sluice.benchmarks.BlockDeviceBenchmark}. */
@NullMarked
package dev.sluice.benchmarks;

import org.jspecify.annotations.NullMarked;
