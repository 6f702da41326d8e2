/**
 * Load on a vhost-user-blk disk through the Java driver, and its results. Reading order: {@link dev.sluice.examples.load.LoadPlan},
 * {@link dev.sluice.examples.load.Load}, {@link dev.sluice.examples.load.LoadJob}, {@link dev.sluice.examples.load.QueueLoad},
 * {@link dev.sluice.examples.load.LoadReport}.
 */
@NullMarked
package dev.sluice.examples.load;

import org.jspecify.annotations.NullMarked;
