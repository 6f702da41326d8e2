package dev.sluice.pipeline;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.pipeline.testing.TestIo;
import org.junit.jupiter.api.Test;

class BypassTest {
    private static PipelineRig rig(BlockStage stage) {
        return new PipelineRig(builder -> builder.stage(stage));
    }

    @Test
    void shouldBypassAStageThatIsNotInterestedAndNoOther() {
        try (PipelineRig rig = rig(PassingStage.UNINTERESTED)) {
            assertThat(rig.result(TestIo.read(0, 512))).isEqualTo(512);
            assertThat(rig.seen.getFirst().flags()).isEqualTo(PipelineObserver.BYPASSED);
        }
        try (PipelineRig rig = rig(PassingStage.INTERESTED)) {
            assertThat(rig.result(TestIo.read(0, 512))).isEqualTo(512);
            assertThat(rig.seen.getFirst().flags()).isZero();
        }
    }
}
