package dev.sluice.pipeline;

import dev.sluice.linux.Errno;
import reactor.core.publisher.Mono;

/** The chain behind one stage, for one request. <b>Threading:</b> any. <b>Allocation:</b> itself, for each request and interested stage. */
final class RestOfChain extends StageRequests implements BlockStage.Chain {
    private final StageChain stages;
    private final int stage;
    private final StageCall call;

    RestOfChain(StageChain stages, int stage, StageCall call) {
        this.stages = stages;
        this.stage = stage;
        this.call = call;
    }

    @Override
    public Mono<BlockResult> proceed(BlockRequest request) {
        try {
            int next = stages.firstInterested(request, stage + 1);
            return next == -1 ? call.proceed(request) : stages.handle(next, request, call);
        } catch (Throwable failed) {
            return Mono.error(failed);
        }
    }

    @Override
    IoLoop loop() {
        return call.scope().loop();
    }

    @Override
    String stageName() {
        return stages.name(stage);
    }

    @Override
    BlockGeometry below() {
        return call.scope().disk().geometryBelow(stage);
    }

    @Override
    void failed(Throwable thrown) {
        call.signalledAnywhere(thrown);
    }

    @Override
    SubRequestPool pool() {
        return call.scope().pool(stage);
    }

    @Override
    StageBuffers buffers() {
        return call.scope().buffers(stage);
    }

    @Override
    Object owner() {
        return call;
    }

    @Override
    int refusal() {
        return call.ended() ? Errno.ECANCELED : 0;
    }

    @Override
    boolean durable() {
        return call.request().durable();
    }

    @Override
    void subRequestStarted() {
        call.subRequestStarted();
    }

    @Override
    void subRequestCompleted() {
        call.subRequestCompleted();
    }
}
