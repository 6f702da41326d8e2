package dev.sluice.pipeline;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sluice.pipeline.stage.HopStageProvider;
import dev.sluice.pipeline.stage.NoopStageProvider;
import dev.sluice.pipeline.stage.UninterestedStageProvider;
import dev.sluice.pipeline.testing.ManualLoop;
import dev.sluice.pipeline.testing.SimulatedBackend;
import dev.sluice.pipeline.testing.SimulatedSink;
import dev.sluice.pipeline.testing.TestIo;
import java.util.ArrayList;
import java.util.List;
import java.util.ServiceLoader;
import org.junit.jupiter.api.Test;

class ShortcutsTest {
    private static StageFactory stage(BlockStageProvider provider) {
        return context -> provider.create("", context);
    }

    private static PipelineRig rig(Shortcuts shortcuts, StageFactory... stages) {
        return new PipelineRig(builder -> {
            builder.shortcuts(shortcuts);
            for (StageFactory stage : stages) {
                builder.stage(stage);
            }
        });
    }

    @Test
    void shouldBypassAStageThatIsNotInterestedAndNoOther() {
        try (PipelineRig rig = rig(Shortcuts.ALL, stage(new UninterestedStageProvider()))) {
            assertThat(rig.result(TestIo.read(0, 512))).isEqualTo(512);
            assertThat(rig.seen.getFirst().flags()).isEqualTo(PipelineObserver.BYPASSED);
        }
        try (PipelineRig rig = rig(Shortcuts.ALL, stage(new NoopStageProvider()))) {
            assertThat(rig.result(TestIo.read(0, 512))).isEqualTo(512);
            assertThat(rig.seen.getFirst().flags()).isZero();
        }
    }

    @Test
    void shouldSendEverythingThroughAMonoWithoutBypass() {
        Shortcuts noBypass = Shortcuts.ALL.withBypass(false);
        try (PipelineRig rig = rig(noBypass, stage(new UninterestedStageProvider()));
                PipelineRig bare = rig(noBypass)) {
            assertThat(rig.result(TestIo.read(0, 512))).isEqualTo(512);
            assertThat(rig.seen.getFirst().flags()).isZero();
            assertThat(bare.result(TestIo.read(0, 512))).isEqualTo(512);
            assertThat(bare.seen.getFirst().flags()).as("no stage, and a Mono all the same").isZero();
        }
    }

    @Test
    void shouldTakeOneRequestATickWithoutBatches() {
        try (PipelineRig rig = rig(Shortcuts.ALL.withBatch(false))) {
            rig.sink().pace(SimulatedSink.Pace.IN_FLUSH);
            List<TestIo> reads = rig.submitReads(5);
            rig.loop.tick();
            assertThat(rig.queue.polls()).isEqualTo(1);
            rig.settle();
            assertThat(reads).allMatch(read -> read.result() == 512);
            assertThat(rig.sink().flushes()).isEqualTo(5);
        }
    }

    @Test
    void shouldFindTheStagesByName() {
        assertThat(ServiceLoader.load(BlockStageProvider.class)).extracting(BlockStageProvider::name).contains("noop", "uninterested");
    }

    @Test
    void shouldRefuseArgumentsThatMeanNothing() {
        for (BlockStageProvider provider : List.of(new NoopStageProvider(), new HopStageProvider(), new UninterestedStageProvider())) {
            assertThat(created(provider, "").name()).isEqualTo(provider.name()).isNotEmpty();
            assertThatThrownBy(() -> created(provider, "x"))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessage("stage " + provider.name() + " takes no arguments; 'x' was given");
        }
        try (ManualLoop loop = new ManualLoop()) {
            assertThat(created(new UninterestedStageProvider(), "").interestedIn(new BareRequest(loop, 0, 0).parse(BlockOp.READ))).isFalse();
        }
    }

    private static BlockStage created(BlockStageProvider provider, String arguments) {
        List<BlockStage> created = new ArrayList<>();
        try (SimulatedBackend backend = SimulatedBackend.ofSize(1 << 20)) {
            BlockPipeline.builder().backend(backend).stage(context -> {
                created.add(provider.create(arguments, context));
                return created.getFirst();
            }).build().close();
        }
        return created.getFirst();
    }
}
