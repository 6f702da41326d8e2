package dev.sluice.pipeline;

import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.reactivestreams.Subscription;
import reactor.core.publisher.BaseSubscriber;

/** A subscriber that asks for nothing by itself and remembers what it got. */
class Recorder extends BaseSubscriber<BlockRequest> {
    final List<BlockRequest> requests = new ArrayList<>();
    @Nullable
    Throwable error;
    int terminals;

    @Override
    protected void hookOnSubscribe(Subscription subscription) {}

    @Override
    protected void hookOnNext(BlockRequest request) {
        requests.add(request);
    }

    @Override
    protected void hookOnError(Throwable failure) {
        terminals++;
        error = failure;
    }

    @Override
    protected void hookOnComplete() {
        terminals++;
    }

    void completeAll() {
        requests.forEach(request -> request.complete(0));
        requests.clear();
    }
}
