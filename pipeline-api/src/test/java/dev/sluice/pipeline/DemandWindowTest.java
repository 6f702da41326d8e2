package dev.sluice.pipeline;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.pipeline.testing.SimulatedFaults;
import dev.sluice.pipeline.testing.TestIo;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import reactor.core.publisher.Mono;
import reactor.core.publisher.MonoSink;

/** A queue takes as many requests as its sink has slots, also where operators end and others follow while the sink has some. */
class DemandWindowTest {
    private static final int SLOTS = 4;

    private final List<MonoSink<Object>> ends = new ArrayList<>();

    /** Its operators end when the test says. */
    private PipelineRig rig() {
        return new PipelineRig(16, SLOTS, SimulatedFaults.NONE, builder -> builder.operator(flux -> flux.takeUntilOther(Mono.create(ends::add))));
    }

    @Test
    void shouldTakeNoMoreThanTheSinkHasRoomForWhenOtherOperatorsFollow() {
        for (int inSink = 1; inSink <= SLOTS; inSink++) {
            try (PipelineRig rig = rig()) {
                rig.sink().hold();
                List<TestIo> reads = new ArrayList<>(rig.submitReads(inSink));
                rig.settle();
                assertThat(rig.queue.inFlight()).isEqualTo(inSink);
                ends.getLast().success();
                rig.settle();
                reads.addAll(rig.submitReads(2 * SLOTS));
                rig.settle();
                assertThat(rig.queue.inFlight()).as("with %d in the sink when the operators ended", inSink).isEqualTo(SLOTS);
                rig.sink().releaseAll();
                rig.settle();
                assertThat(reads).allMatch(read -> read.result() == 512);
            }
        }
    }

    @Test
    void shouldTakeAsManyAsEverWhenOtherOperatorsFollowManyRequests() {
        try (PipelineRig rig = rig()) {
            for (int round = 0; round < 3; round++) {
                rig.sink().releaseAll();
                for (int i = 0; i < 2 * SLOTS; i++) {
                    assertThat(rig.result(TestIo.read(i, 512))).isEqualTo(512);
                }
                ends.getLast().success();
                rig.settle();
                rig.sink().hold();
                List<TestIo> reads = rig.submitReads(2 * SLOTS);
                rig.settle();
                assertThat(rig.queue.inFlight()).as("what has completed takes no room, round %d", round).isEqualTo(SLOTS);
                rig.sink().releaseAll();
                rig.settle();
                assertThat(reads).allMatch(read -> read.result() == 512);
            }
        }
    }
}
