package dev.sluice.bench.stage;

import dev.sluice.pipeline.BlockRequest;
import dev.sluice.pipeline.BlockResult;
import dev.sluice.pipeline.BlockStage;
import dev.sluice.pipeline.BlockStageProvider;
import dev.sluice.pipeline.StageContext;
import reactor.core.publisher.Mono;
import reactor.core.scheduler.Schedulers;

/**
 * {@code --stage hop}: a stage that passes every request on from another thread, and does nothing else. What it costs over {@code noop} is the way there and
 * back.
 */
public final class HopStageProvider implements BlockStageProvider {

    @Override
    public String name() {
        return "hop";
    }

    @Override
    public BlockStage create(String arguments, StageContext context) {
        NoopStageProvider.requireNone(name(), arguments);
        return new Hop();
    }

    private record Hop() implements BlockStage {
        @Override
        public Mono<BlockResult> handle(BlockRequest request, Chain chain) {
            return chain.proceed(request).subscribeOn(Schedulers.single());
        }

        @Override
        public String name() {
            return "hop";
        }
    }
}
