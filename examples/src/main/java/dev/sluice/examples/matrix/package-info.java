/**
 * What each part of Sluice is worth, and its peers beside it: {@code sluice bench --matrix}.
 *
 * <p>Reading order: {@link dev.sluice.examples.matrix.Section} and the classes it names ({@code Ablation}, {@code Peers}, {@code Scaling},
 * {@code GuestFio}) say what is measured, as {@link dev.sluice.examples.matrix.Experiment}s of {@link dev.sluice.examples.matrix.Row}s;
 * {@link dev.sluice.examples.matrix.Matrix} measures it in rounds; {@link dev.sluice.examples.matrix.RowResult} and
 * {@link dev.sluice.examples.matrix.Spread} hold what came of it; {@code MarkdownReport}, {@code JsonReport} and {@code SvgPlot} show it, {@code Aims} what of it was aimed at.
 */
@NullMarked
package dev.sluice.examples.matrix;

import org.jspecify.annotations.NullMarked;
