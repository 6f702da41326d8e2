/**
 * Measurements whose processes are pinned to two CPUs of known distance, with a load in C. Reading order: {@link dev.sluice.bench.ring.Placement},
 * {@link dev.sluice.bench.ring.Calibration}, {@link dev.sluice.bench.ring.SteadyMeasurement} define when a figure can be compared;
 * {@link dev.sluice.bench.ring.CPrograms} compiles the programs, {@link dev.sluice.bench.ring.PlacedCpus} pins and calibrates with one of them;
 * {@link dev.sluice.bench.ring.RingLoadPlan} and {@link dev.sluice.bench.ring.RingFigures} are the load's options and its results.
 */
@NullMarked
package dev.sluice.bench.ring;

import org.jspecify.annotations.NullMarked;
