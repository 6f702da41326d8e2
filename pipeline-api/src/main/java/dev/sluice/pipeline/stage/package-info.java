/**
 * Stages that come with Sluice, for measuring: {@link dev.sluice.pipeline.stage.NoopStageProvider} sees every request and does nothing,
 * {@link dev.sluice.pipeline.stage.UninterestedStageProvider} sees none.
 */
@NullMarked
package dev.sluice.pipeline.stage;

import org.jspecify.annotations.NullMarked;
