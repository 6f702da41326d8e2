/**
 * Stages that come with Sluice, for measuring: {@link dev.sluice.bench.stage.NoopStageProvider} sees every request and does nothing,
 * {@link dev.sluice.bench.stage.HopStageProvider} does so from another thread,
 * {@link dev.sluice.bench.stage.UninterestedStageProvider} sees none.
 */
@NullMarked
package dev.sluice.bench.stage;

import org.jspecify.annotations.NullMarked;
