package dev.sluice.pipeline;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.pipeline.stage.HopStageProvider;
import dev.sluice.pipeline.testing.ManualLoop;
import dev.sluice.pipeline.testing.SimulatedBackend;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;
import reactor.core.publisher.Mono;

class HopStageTest {
    @Test
    void shouldPassARequestOnFromAnotherThread() {
        BlockStage[] created = new BlockStage[1];
        try (SimulatedBackend backend = SimulatedBackend.ofSize(512)) {
            BlockPipeline.builder().backend(backend).stage(context -> created[0] = new HopStageProvider().create("", context)).build().close();
        }
        BlockStage hop = created[0];
        AtomicReference<BlockRequest> passedOn = new AtomicReference<>();
        AtomicReference<Thread> by = new AtomicReference<>();
        try (ManualLoop loop = new ManualLoop()) {
            BlockRequest request = new BareRequest(loop, 0, 0).parse(BlockOp.READ);
            Mono<BlockResult> outcome = hop.handle(request, lent -> Mono.fromSupplier(() -> {
                passedOn.set(lent);
                by.set(Thread.currentThread());
                return BlockResult.OK;
            }));
            assertThat(passedOn.get()).as("before somebody subscribes").isNull();
            assertThat(outcome.block()).isEqualTo(BlockResult.OK);
            assertThat(passedOn.get()).isSameAs(request);
            assertThat(hop.interestedIn(request)).isTrue();
        }
        assertThat(by.get()).isNotSameAs(Thread.currentThread());
    }
}
