/**
 * What a block pipeline is made of, free of any adapter, kernel interface or metrics library.
 *
 * <p>Reading order, which is the order in which a request flows: {@link dev.sluice.pipeline.IoLoop},
 * {@link dev.sluice.pipeline.RequestQueue}, {@link dev.sluice.pipeline.BlockRequest} with its {@link dev.sluice.pipeline.RequestContent},
 * {@link dev.sluice.pipeline.QueueSource}, {@link dev.sluice.pipeline.BlockPipeline},
 * {@link dev.sluice.pipeline.BlockStage}, {@link dev.sluice.pipeline.BlockSink},
 * {@link dev.sluice.pipeline.BlockBackend}.
 */
@NullMarked
package dev.sluice.pipeline;

import org.jspecify.annotations.NullMarked;
