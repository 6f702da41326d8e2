package dev.sluice.server;

import dev.sluice.pipeline.BlockOp;
import dev.sluice.pipeline.BlockRequest;
import dev.sluice.pipeline.BlockResult;
import dev.sluice.pipeline.BlockStage;
import dev.sluice.pipeline.BlockStageProvider;
import dev.sluice.pipeline.StageContext;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CopyOnWriteArrayList;
import reactor.core.publisher.Mono;
import reactor.core.publisher.MonoSink;
import reactor.core.scheduler.Schedulers;

/** {@code --stage hold-writes}: a stage that never completes a write, and says on stderr that it has one; {@code hold-writes:lose} throws on another thread. */
public final class HoldStageProvider implements BlockStageProvider {
    static final String NAME = "hold-writes";

    /** The argument with which it loses writes instead. */
    static final String LOSE = "lose";

    /** What it says. */
    static final String HOLDING = "holding: ";

    @Override
    public String name() {
        return NAME;
    }

    @Override
    public BlockStage create(String arguments, StageContext context) {
        return arguments.equals(LOSE) ? new Lose() : new Hold();
    }

    /** Loses the signal: Reactor throws an error of the JVM at the thread it happens on. */
    private static final class Lose implements BlockStage {
        @Override
        public Mono<BlockResult> handle(BlockRequest request, Chain chain) {
            return Mono.<BlockResult>fromCallable(() -> {
                throw new NoClassDefFoundError("on/purpose");
            }).subscribeOn(Schedulers.boundedElastic());
        }

        @Override
        public Set<BlockOp> operations() {
            return Set.of(BlockOp.WRITE);
        }
    }

    private static final class Hold implements BlockStage {
        private final List<MonoSink<BlockResult>> held = new CopyOnWriteArrayList<>();

        @Override
        public Mono<BlockResult> handle(BlockRequest request, Chain chain) {
            return Mono.create(downstream -> {
                held.add(downstream);
                System.err.println(HOLDING + request);
            });
        }

        @Override
        public Set<BlockOp> operations() {
            return Set.of(BlockOp.WRITE);
        }

        @Override
        public String name() {
            return NAME;
        }
    }
}
