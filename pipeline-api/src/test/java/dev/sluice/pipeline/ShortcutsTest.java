package dev.sluice.pipeline;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sluice.pipeline.stage.HopStageProvider;
import dev.sluice.pipeline.stage.NoopStageProvider;
import dev.sluice.pipeline.stage.UninterestedStageProvider;
import dev.sluice.pipeline.testing.ManualLoop;
import dev.sluice.pipeline.testing.SimulatedSink;
import dev.sluice.pipeline.testing.TestIo;
import java.util.List;
import java.util.ServiceLoader;
import org.junit.jupiter.api.Test;

class ShortcutsTest {
    private static BlockStage stage(BlockStageProvider provider) {
        return provider.create("", new BlockGeometry(1 << 20, 512, 512, 0, false, true, true));
    }

    private static PipelineRig rig(Shortcuts shortcuts, BlockStage... stages) {
        return new PipelineRig(builder -> {
            builder.shortcuts(shortcuts);
            for (BlockStage stage : stages) {
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
            assertThat(stage(provider).name()).isEqualTo(provider.name()).isNotEmpty();
            assertThatThrownBy(() -> provider.create("x", new BlockGeometry(512, 512, 512, 0, false, false, false)))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessage("stage " + provider.name() + " takes no arguments; 'x' was given");
        }
        try (ManualLoop loop = new ManualLoop()) {
            assertThat(stage(new UninterestedStageProvider()).interestedIn(new BareRequest(loop, 0, 0).parse(BlockOp.READ))).isFalse();
        }
    }
}
