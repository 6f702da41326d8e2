package dev.sluice.pipeline;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.pipeline.testing.SimulatedSink;
import dev.sluice.pipeline.testing.TestIo;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** What a pipeline tells its observer of requests that end in one tick. */
class CompletionRunTest {
    private final List<String> told = new ArrayList<>();

    private final PipelineObserver observer = new PipelineObserver() {
        @Override
        public void requestsCompleted(int queue, BlockOp op, int requests, long bytes, int errno, long waitNanos, long deviceNanos, int flags) {
            told.add(requests + " " + op + " " + bytes);
        }
    };

    @Test
    void shouldTellOfAlikeRequestsOfATickTogetherAndOfOthersApart() {
        try (PipelineRig rig = new PipelineRig(builder -> builder.observer(observer))) {
            rig.sink().pace(SimulatedSink.Pace.IN_FLUSH);
            rig.submitReads(3);
            rig.submit(TestIo.read(8, 1024));
            rig.submit(TestIo.read(10, 1024));
            rig.submit(TestIo.flush());
            rig.loop.tick();
            assertThat(told).containsExactly("3 READ 512", "2 READ 1024", "1 FLUSH 0");
            rig.submitReads(2);
            rig.loop.tick();
            assertThat(told).as("a run does not outlast its tick").endsWith("1 FLUSH 0", "2 READ 512");
        }
    }

    @Test
    void shouldTellOfTheLastRequestsBeforeTheQueueIsGivenAway() {
        try (PipelineRig rig = new PipelineRig(builder -> builder.observer(observer))) {
            rig.sink().hold();
            rig.submitReads(2);
            rig.loop.tick();
            rig.loop.execute(() -> {
                rig.source.stop(() -> told.add("drained"));
                rig.sink().held().forEach(rig.sink()::release);
            });
            rig.loop.tick();
            assertThat(told).containsExactly("2 READ 512", "drained");
        }
    }
}
