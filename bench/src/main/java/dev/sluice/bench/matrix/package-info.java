/**
 * The effect of each part of Sluice, and its peers next to it: {@code sluice bench --matrix}.
 *
 * <p>Reading order: {@link dev.sluice.bench.matrix.Section} and the classes it names ({@code PlacedRows}, {@code Ablation}, {@code Peers},
 * {@code Scaling}, {@code GuestFio}, {@code PlacedProduct}) define what is measured, as {@link dev.sluice.bench.matrix.Experiment}s of {@link dev.sluice.bench.matrix.Row}s;
 * {@link dev.sluice.bench.matrix.Matrix} measures it in rounds, {@code PlacedRun} what is pinned and calibrated; {@code PlacedResults} compares that by placement; {@link dev.sluice.bench.matrix.RowResult} and
 * {@link dev.sluice.bench.matrix.Spread} hold the results; {@code MarkdownReport}, {@code JsonReport} and {@code SvgPlot} show them, {@code Targets}
 * compares them with the targets.
 */
@NullMarked
package dev.sluice.bench.matrix;

import org.jspecify.annotations.NullMarked;
