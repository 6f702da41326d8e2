package dev.sluice.pipeline;

import java.util.Set;
import reactor.core.publisher.Mono;

/** Passes every request on, or is interested in none. */
record PassingStage(String name, boolean interested) implements BlockStage {
    /** Sees every request. */
    static final PassingStage INTERESTED = new PassingStage("interested", true);

    /** Sees none: everything bypasses it. */
    static final PassingStage UNINTERESTED = new PassingStage("uninterested", false);

    @Override
    public Mono<BlockResult> handle(BlockRequest request, Chain chain) {
        return chain.proceed(request);
    }

    @Override
    public Set<BlockOp> operations() {
        return interested ? Set.of(BlockOp.values()) : Set.of();
    }

    @Override
    public boolean interestedIn(BlockRequest request) {
        return interested;
    }
}
