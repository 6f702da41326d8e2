package dev.sluice.pipeline;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.linux.Errno;
import dev.sluice.pipeline.testing.ManualLoop;
import dev.sluice.pipeline.testing.SimulatedBackend;
import dev.sluice.pipeline.testing.SimulatedFaults;
import dev.sluice.pipeline.testing.TestIo;
import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import reactor.core.Disposable;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;

/** What the stages of a disk have together: their buffers, their scopes on each loop, and when they are closed. */
class DiskStagesTest {
    /** Sub-requests that a stage may have in flight in the background. */
    private static final int IN_FLIGHT = 64;

    private final List<String> events = new ArrayList<>();
    private final List<StageContext> contexts = new ArrayList<>();
    private final List<MemorySegment> memory = new ArrayList<>();

    private Mono<BlockResult> useBuffers(SubRequests chain, int bytes) {
        return chain.useBuffer(bytes, buffer -> {
            buffer.access(memory::add);
            return chain.read(0, buffer, 0, 512);
        });
    }

    private StageFactory stage() {
        return context -> {
            contexts.add(context);
            context.onClose(() -> events.add("closed"));
            return (request, chain) -> useBuffers(chain, 512).then(useBuffers(chain, StageBuffer.MAX_BYTES));
        };
    }

    private void inBackground(Mono<BlockResult> mono) {
        Disposable _ = mono.subscribe(result -> events.add(result.isOk() ? "OK" : "errno " + result.errno()));
    }

    @Test
    void shouldFreeTheBuffersOfItsStagesWhenItIsClosed() {
        try (PipelineRig rig = new PipelineRig(builder -> builder.stage(stage()))) {
            assertThat(rig.result(TestIo.read(0, 512))).isEqualTo(512);
            SubRequests background = contexts.getFirst().background(rig.loop);
            inBackground(useBuffers(background, 512));
            inBackground(useBuffers(contexts.getFirst().background(rig.loop), StageBuffer.MAX_BYTES));
            rig.settle();
            assertThat(events).containsExactly("OK", "OK");
            assertThat(memory).hasSize(4).allMatch(segment -> segment.scope().isAlive());
            rig.pipeline.close();
            rig.settle();
            assertThat(memory).as("of requests and of the background, small and large").noneMatch(segment -> segment.scope().isAlive());
        }
    }

    @Test
    void shouldRefuseWhatWaitsInTheBackgroundWhenItIsClosed() {
        try (PipelineRig rig = new PipelineRig(builder -> builder.stage(stage()))) {
            rig.sink().hold();
            SubRequests background = contexts.getFirst().background(rig.loop);
            for (int i = 0; i < IN_FLIGHT + 2; i++) {
                inBackground(background.flush());
            }
            rig.settle();
            assertThat(events).isEmpty();
            rig.pipeline.close();
            rig.settle();
            assertThat(events).as("those that are not in flight").containsExactly("errno " + Errno.ESHUTDOWN, "errno " + Errno.ESHUTDOWN);
            rig.sink().releaseAll();
            rig.settle();
            assertThat(events.stream().filter("OK"::equals)).hasSize(IN_FLIGHT);
        }
    }

    /** A stage below holds one for ever. */
    @Test
    void shouldCancelWhatIsHeldInTheBackgroundWhenItIsClosed() {
        BlockStage holds = (request, chain) -> Mono.never();
        try (PipelineRig rig = new PipelineRig(builder -> builder.stage(stage()).stage(holds))) {
            inBackground(contexts.getFirst().background(rig.loop).discard(0, 4096));
            rig.settle();
            assertThat(events).isEmpty();
            rig.pipeline.close();
            rig.settle();
            assertThat(events).contains("errno " + Errno.ECANCELED);
        }
    }

    @Test
    void shouldCancelSubRequestsThatWaitAtTheDrainLimit() {
        int waiting = 5;
        // 8 slots, so 16 sub-requests of a stage in flight.
        BlockStage many = (request, chain) -> Flux.range(0, 16 + waiting)
                .flatMap(i -> chain.flush().doOnNext(result -> events.add("errno " + result.errno())), 16 + waiting)
                .reduce(BlockResult::and);
        try (PipelineRig rig = new PipelineRig(8, 8, SimulatedFaults.NONE, builder -> builder.stage(many).drainLimit(Duration.ofSeconds(1)))) {
            rig.sink().hold();
            TestIo read = rig.submit(TestIo.read(0, 512));
            rig.settle();
            rig.source.stop(() -> {});
            rig.loop.advanceNanos(Duration.ofSeconds(1).toNanos());
            rig.settle();
            assertThat(events).as("before the kernel is done with the others").hasSize(waiting).containsOnly("errno " + Errno.ECANCELED);
            rig.sink().releaseAll();
            rig.settle();
            assertThat(read.result()).isEqualTo(-Errno.ECANCELED);
        }
    }

    /** The loop has yet to hear of it. */
    @Test
    void shouldBeginNothingInTheBackgroundOnceItIsClosed() {
        try (ManualLoop loop = new ManualLoop(); SimulatedBackend backend = SimulatedBackend.ofSize(1 << 20)) {
            BlockPipeline pipeline = BlockPipeline.builder().backend(backend).diskName("vm1").stage(stage()).build();
            SubRequests background = contexts.getFirst().background(loop);
            inBackground(background.flush());
            loop.tickUntilIdle();
            assertThat(events).as("without a queue too").containsExactly("OK");
            long submissions = backend.sinkOf(loop).submissions();
            pipeline.close();
            inBackground(background.flush());
            loop.tickUntilIdle();
            assertThat(events).containsExactly("OK", "closed", "errno " + Errno.ESHUTDOWN);
            assertThat(backend.sinkOf(loop).submissions()).isEqualTo(submissions);
        }
    }

    @Test
    void shouldAdmitNobodyOnceTheLastHasLeft() {
        try (SimulatedBackend backend = SimulatedBackend.ofSize(1 << 20)) {
            BlockPipeline pipeline = BlockPipeline.builder().backend(backend).stage(stage()).build();
            assertThat(pipeline.disk().enter()).isTrue();
            pipeline.disk().close();
            assertThat(pipeline.disk().enter()).as("somebody is there yet").isTrue();
            pipeline.disk().leave();
            assertThat(events).isEmpty();
        }
        try (SimulatedBackend backend = SimulatedBackend.ofSize(1 << 20)) {
            BlockPipeline pipeline = BlockPipeline.builder().backend(backend).stage(stage()).build();
            pipeline.close();
            assertThat(events).containsExactly("closed");
            assertThat(pipeline.disk().enter()).isFalse();
            contexts.getLast().close();
            assertThat(events).as("once").containsExactly("closed");
        }
    }

    @Test
    void shouldHaveAScopeForTheBackgroundOfEachLoop() {
        try (PipelineRig rig = new PipelineRig(builder -> builder.diskName("vm1").stage(stage()))) {
            StageScope scope = rig.pipeline.disk().background(rig.loop);
            assertThat(scope).hasToString("disk vm1, background");
            assertThat(scope.queueIndex()).isEqualTo(StageScope.BACKGROUND);
            assertThat(scope.pool(0)).isSameAs(scope.pool(0));
            assertThat(rig.pipeline.disk().background(rig.loop)).isSameAs(scope);
        }
    }
}
