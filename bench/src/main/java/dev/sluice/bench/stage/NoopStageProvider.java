package dev.sluice.bench.stage;

import dev.sluice.pipeline.BlockRequest;
import dev.sluice.pipeline.BlockResult;
import dev.sluice.pipeline.BlockStage;
import dev.sluice.pipeline.BlockStageProvider;
import dev.sluice.pipeline.StageContext;
import reactor.core.publisher.Mono;

/** {@code --stage noop}: a stage that sees every request and passes it on. What it costs is what a stage costs at the least. */
public final class NoopStageProvider implements BlockStageProvider {

    @Override
    public String name() {
        return "noop";
    }

    @Override
    public BlockStage create(String arguments, StageContext context) {
        requireNone(name(), arguments);
        return new Noop();
    }

    static void requireNone(String stage, String arguments) {
        if (!arguments.isEmpty()) {
            throw new IllegalArgumentException("stage " + stage + " takes no arguments; '" + arguments + "' was given");
        }
    }

    private record Noop() implements BlockStage {
        @Override
        public Mono<BlockResult> handle(BlockRequest request, Chain chain) {
            return chain.proceed(request);
        }

        @Override
        public String name() {
            return "noop";
        }
    }
}
