package dev.sluice.pipeline;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.linux.CapturedLog;
import dev.sluice.linux.Errno;
import dev.sluice.pipeline.testing.SimulatedBackend;
import dev.sluice.pipeline.testing.SimulatedFaults;
import dev.sluice.pipeline.testing.TestIo;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/**
 * An operator completes a request that a stage has: whatever the stage does with it afterwards concerns it alone, and not the next request of the
 * same pooled object.
 */
class NextLifeTest {
    private final List<BlockRequest> pooled = new ArrayList<>();
    private final ByHandStage stage = new ByHandStage();

    /** One slot, so that the second request has the object of the first. */
    private PipelineRig rig() {
        return new PipelineRig(1, SimulatedBackend.DEFAULT_CAPACITY, SimulatedFaults.NONE,
                builder -> builder.operator(flux -> flux.doOnNext(pooled::add)).stage(stage));
    }

    /** The first request, completed by the operator while the stage has it. */
    private TestIo completedByOperator(PipelineRig rig) {
        TestIo first = rig.submit(TestIo.read(0, 512));
        rig.settle();
        pooled.getFirst().complete(-Errno.ENOSPC);
        rig.settle();
        assertThat(first.result()).isEqualTo(-Errno.ENOSPC);
        return first;
    }

    @Test
    void shouldNotCompleteTheNextRequestWithTheOutcomeOfTheOneBefore() {
        try (PipelineRig rig = rig(); CapturedLog log = new CapturedLog()) {
            TestIo first = completedByOperator(rig);
            TestIo second = rig.submit(TestIo.read(1, 512));
            rig.settle();
            assertThat(stage.requests).hasSize(2);
            stage.outcomes.getFirst().success(BlockResult.OK);
            rig.settle();
            assertThat(second.completed()).isFalse();
            assertThat(log.lines("was completed by somebody else")).hasSize(1);
            stage.outcomes.getLast().success(BlockResult.OK);
            rig.settle();
            assertThat(second.result()).isEqualTo(512);
            assertThat(first.completions()).isEqualTo(1);
        }
    }

    @Test
    void shouldNotSubmitTheNextRequestForAStageThatHadTheOneBefore() {
        try (PipelineRig rig = rig()) {
            completedByOperator(rig);
            TestIo second = rig.submit(TestIo.read(1, 512));
            rig.settle();
            ByHandStage.Attempt late = new ByHandStage.Attempt();
            stage.rests.getFirst().subscribe(late);
            late.subscription.request(1);
            rig.settle();
            assertThat(rig.sink().submissions()).isZero();
            assertThat(late.signals).singleElement().asString().contains("IllegalStateException");
            stage.outcomes.forEach(outcome -> outcome.success(BlockResult.OK));
            rig.settle();
            assertThat(second.result()).isEqualTo(512);
        }
    }
}
