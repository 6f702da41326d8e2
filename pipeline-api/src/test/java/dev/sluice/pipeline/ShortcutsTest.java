package dev.sluice.pipeline;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.pipeline.testing.SimulatedSink;
import dev.sluice.pipeline.testing.TestIo;
import java.util.List;
import org.junit.jupiter.api.Test;

class ShortcutsTest {
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
        try (PipelineRig rig = rig(Shortcuts.ALL, context -> PassingStage.UNINTERESTED)) {
            assertThat(rig.result(TestIo.read(0, 512))).isEqualTo(512);
            assertThat(rig.seen.getFirst().flags()).isEqualTo(PipelineObserver.BYPASSED);
        }
        try (PipelineRig rig = rig(Shortcuts.ALL, context -> PassingStage.INTERESTED)) {
            assertThat(rig.result(TestIo.read(0, 512))).isEqualTo(512);
            assertThat(rig.seen.getFirst().flags()).isZero();
        }
    }

    @Test
    void shouldSendEverythingThroughAMonoWithoutBypass() {
        Shortcuts noBypass = Shortcuts.ALL.withBypass(false);
        try (PipelineRig rig = rig(noBypass, context -> PassingStage.UNINTERESTED);
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
}
