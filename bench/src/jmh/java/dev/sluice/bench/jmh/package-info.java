/** JMH benchmarks: {@link dev.sluice.bench.jmh.SinkBenchmark}, {@link dev.sluice.bench.jmh.BlockDeviceBenchmark}. */
@NullMarked
package dev.sluice.bench.jmh;

import org.jspecify.annotations.NullMarked;
