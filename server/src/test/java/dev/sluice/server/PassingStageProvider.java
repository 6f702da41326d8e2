package dev.sluice.server;

import dev.sluice.pipeline.BlockRequest;
import dev.sluice.pipeline.BlockResult;
import dev.sluice.pipeline.BlockStage;
import dev.sluice.pipeline.BlockStageProvider;
import dev.sluice.pipeline.StageContext;
import reactor.core.publisher.Mono;

/** {@code --stage pass}: a stage that sees every request and passes it on. */
public final class PassingStageProvider implements BlockStageProvider {
    static final String NAME = "pass";

    @Override
    public String name() {
        return NAME;
    }

    @Override
    public BlockStage create(String arguments, StageContext context) {
        return new Passing();
    }

    private static final class Passing implements BlockStage {
        @Override
        public Mono<BlockResult> handle(BlockRequest request, Chain chain) {
            return chain.proceed(request);
        }

        @Override
        public String name() {
            return NAME;
        }
    }
}
