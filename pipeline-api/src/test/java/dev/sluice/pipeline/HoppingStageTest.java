package dev.sluice.pipeline;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.pipeline.testing.TestIo;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;
import reactor.core.publisher.Mono;
import reactor.core.scheduler.Schedulers;

/** A stage that passes requests on from another thread. */
class HoppingStageTest {
    @Test
    void shouldPassARequestOnFromAnotherThread() {
        AtomicReference<BlockRequest> passedOn = new AtomicReference<>();
        AtomicReference<Thread> by = new AtomicReference<>();
        BlockStage below = new BlockStage() {
            @Override
            public boolean interestedIn(BlockRequest request) {
                by.set(Thread.currentThread());
                return true;
            }

            @Override
            public Mono<BlockResult> handle(BlockRequest request, Chain chain) {
                passedOn.set(request);
                return chain.proceed(request);
            }
        };
        AtomicReference<Thread> subscribed = new AtomicReference<>();
        BlockStage last = (request, chain) -> Mono.defer(() -> {
            subscribed.set(Thread.currentThread());
            return chain.proceed(request);
        });
        try (PipelineRig rig = new PipelineRig(
                builder -> builder.stage((BlockStage) (request, chain) -> chain.proceed(request).subscribeOn(Schedulers.single())).stage(below).stage(last))) {
            TestIo read = rig.submit(TestIo.read(3, 512));
            rig.settleUntil(read::completed);
            assertThat(read.result()).isEqualTo(512);
            assertThat(passedOn.get().sector()).isEqualTo(3);
        }
        assertThat(subscribed.get()).isNotNull().isNotSameAs(Thread.currentThread());
        assertThat(by.get()).as("stages are called on the loop").isSameAs(Thread.currentThread());
    }
}
