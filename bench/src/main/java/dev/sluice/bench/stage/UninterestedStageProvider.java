package dev.sluice.bench.stage;

import dev.sluice.pipeline.BlockOp;
import dev.sluice.pipeline.BlockRequest;
import dev.sluice.pipeline.BlockResult;
import dev.sluice.pipeline.BlockStage;
import dev.sluice.pipeline.BlockStageProvider;
import dev.sluice.pipeline.StageContext;
import java.util.Set;
import reactor.core.publisher.Mono;

/** {@code --stage uninterested}: a stage that needs to see no request, as most stages are to most requests. Everything bypasses it. */
public final class UninterestedStageProvider implements BlockStageProvider {

    @Override
    public String name() {
        return "uninterested";
    }

    @Override
    public BlockStage create(String arguments, StageContext context) {
        NoopStageProvider.requireNone(name(), arguments);
        return new Uninterested();
    }

    private record Uninterested() implements BlockStage {
        @Override
        public Mono<BlockResult> handle(BlockRequest request, Chain chain) {
            return chain.proceed(request);
        }

        @Override
        public Set<BlockOp> operations() {
            return Set.of();
        }

        @Override
        public boolean interestedIn(BlockRequest request) {
            return false;
        }

        @Override
        public String name() {
            return "uninterested";
        }
    }
}
