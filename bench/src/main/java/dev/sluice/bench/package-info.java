/**
 * What measures Sluice and shows it: {@link dev.sluice.bench.DemoCommand} and {@link dev.sluice.bench.BenchCommand}. The load of both is in
 * {@code dev.sluice.bench.load}, the real guest in {@code dev.sluice.bench.guest}, what {@code bench --matrix} measures in {@code dev.sluice.bench.matrix},
 * what {@code bench --device} compares in {@code dev.sluice.bench.device}, and the JMH benchmarks in {@code dev.sluice.bench.jmh}.
 */
@NullMarked
package dev.sluice.bench;

import org.jspecify.annotations.NullMarked;
