/**
 * Load on a vhost-user-blk disk through the Java driver, and its results. Reading order: {@link dev.sluice.bench.load.LoadPlan},
 * {@link dev.sluice.bench.load.Load}, {@link dev.sluice.bench.load.LoadJob}, {@link dev.sluice.bench.load.QueueLoad},
 * {@link dev.sluice.bench.load.LoadReport}.
 */
@NullMarked
package dev.sluice.bench.load;

import org.jspecify.annotations.NullMarked;
