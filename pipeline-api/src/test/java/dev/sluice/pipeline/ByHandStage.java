package dev.sluice.pipeline;

import java.util.ArrayList;
import java.util.List;
import org.reactivestreams.Subscription;
import reactor.core.CoreSubscriber;
import reactor.core.publisher.Mono;
import reactor.core.publisher.MonoSink;
import reactor.core.publisher.Operators;

/** Keeps request and rest of the chain for the test; completes the request when the test says so. */
final class ByHandStage implements BlockStage {
    final List<BlockRequest> requests = new ArrayList<>();
    final List<Mono<BlockResult>> rests = new ArrayList<>();
    final List<MonoSink<BlockResult>> outcomes = new ArrayList<>();

    @Override
    public Mono<BlockResult> handle(BlockRequest request, Chain chain) {
        requests.add(request);
        rests.add(chain.proceed(request));
        return Mono.create(outcomes::add);
    }

    @Override
    public String name() {
        return "by-hand";
    }

    Attempt attempt() {
        Attempt attempt = new Attempt();
        rests.getLast().subscribe(attempt);
        return attempt;
    }

    void end(PipelineRig rig, BlockResult status) {
        outcomes.getLast().success(status);
        rig.settle();
    }

    /** A subscriber without demand of its own. */
    static class Attempt implements CoreSubscriber<BlockResult> {
        final List<String> signals = new ArrayList<>();
        Subscription subscription = Operators.emptySubscription();

        @Override
        public void onSubscribe(Subscription mine) {
            subscription = mine;
        }

        @Override
        public void onNext(BlockResult result) {
            signals.add(result.status().name());
        }

        @Override
        public void onError(Throwable failure) {
            signals.add(failure.getClass().getSimpleName() + " " + failure.getMessage());
        }

        @Override
        public void onComplete() {
            signals.add("complete");
        }
    }
}
