package dev.sluice.pipeline;

import java.util.List;
import java.util.stream.Collectors;
import reactor.core.publisher.Mono;

/** The stages of a pipeline in their order. Immutable, shared by all its queues. */
final class StageChain {
    private final BlockStage[] stages;
    private final boolean bypass;

    StageChain(List<BlockStage> stages, boolean bypass) {
        this.bypass = bypass;
        this.stages = stages.toArray(BlockStage[]::new);
    }

    /** Index of the first stage from {@code from} on that wants to see the request, or -1. Allocates nothing. */
    int firstInterested(BlockRequest request, int from) {
        if (!bypass) {
            return from < stages.length ? from : -1;
        }
        for (int i = from; i < stages.length; i++) {
            if (stages[i].interestedIn(request)) {
                return i;
            }
        }
        return -1;
    }

    /** Calls a stage with the rest of the chain behind it; {@code sink} is that rest's end. */
    Mono<BlockStatus> handle(int stage, BlockRequest request, BlockStage.Chain sink) {
        return stages[stage].handle(request, passedOn -> {
            int next = firstInterested(passedOn, stage + 1);
            return next < 0 ? sink.proceed(passedOn) : handle(next, passedOn, sink);
        });
    }

    /** True where a request that no stage wants to see skips the Monos; see {@link Shortcuts}. */
    boolean bypass() {
        return bypass;
    }

    String name(int stage) {
        return stages[stage].name();
    }

    @Override
    public String toString() {
        return stages.length == 0
                ? "no stages (every request bypasses)"
                : List.of(stages).stream().map(BlockStage::name).collect(Collectors.joining(" -> "));
    }
}
