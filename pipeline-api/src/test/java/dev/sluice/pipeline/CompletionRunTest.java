package dev.sluice.pipeline;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.linux.Errno;
import dev.sluice.pipeline.testing.ManualLoop;
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

    /** A run of one request, and whether another one continues it. */
    private static boolean continues(long available, long submitted, BlockOp op, long bytes, int result, int flags) {
        try (ManualLoop loop = new ManualLoop()) {
            CompletionRun run = new CompletionRun(PipelineObserver.NONE, 0);
            run.begin(request(loop, 5, 7, BlockOp.WRITE, 512), 512, 0, loop.tickNanos());
            return run.goesOnWith(request(loop, available, submitted, op, bytes), result, flags);
        }
    }

    /** A request that was available and submitted so many nanoseconds after the loop's beginning. */
    private static BlockRequest request(ManualLoop loop, long available, long submitted, BlockOp op, long bytes) {
        BareRequest request = new BareRequest(loop, 0, 0);
        pass(loop, available);
        request.parse(op, bytes, 0, 0);
        pass(loop, submitted - available);
        request.submitted();
        pass(loop, -submitted);
        return request;
    }

    private static void pass(ManualLoop loop, long nanos) {
        loop.advanceNanos(nanos);
        loop.tick();
    }

    @Test
    void shouldContinueARunOnlyWithARequestThatIsAlikeInEverythingThatIsReported() {
        assertThat(continues(5, 7, BlockOp.WRITE, 512, 512, 0)).isTrue();
        assertThat(continues(4, 7, BlockOp.WRITE, 512, 512, 0)).as("available earlier").isFalse();
        assertThat(continues(5, 8, BlockOp.WRITE, 512, 512, 0)).as("submitted later").isFalse();
        assertThat(continues(5, 7, BlockOp.READ, 512, 512, 0)).as("another operation").isFalse();
        assertThat(continues(5, 7, BlockOp.WRITE, 1024, 512, 0)).as("another length").isFalse();
        assertThat(continues(5, 7, BlockOp.WRITE, 512, -Errno.EIO, 0)).as("another result").isFalse();
        assertThat(continues(5, 7, BlockOp.WRITE, 512, 512, PipelineObserver.BYPASSED)).as("another way").isFalse();
    }

    @Test
    void shouldReportErrnoAndTimesOfARunOnce() {
        List<String> reports = new ArrayList<>();
        CompletionRun run = new CompletionRun(new PipelineObserver() {
            @Override
            public void requestsCompleted(int queue, BlockOp op, int requests, long bytes, int errno, long waitNanos, long deviceNanos, int flags) {
                reports.add("queue %d: %d %s of %d, errno %d, %d + %d ns, flags %d"
                        .formatted(queue, requests, op, bytes, errno, waitNanos, deviceNanos, flags));
            }
        }, 3);
        try (ManualLoop loop = new ManualLoop()) {
            run.end();
            assertThat(reports).as("nothing has ended").isEmpty();
            BlockRequest failed = request(loop, 10, 30, BlockOp.READ, 4096);
            run.begin(failed, -Errno.ENOSPC, PipelineObserver.BYPASSED, loop.tickNanos() + 100);
            assertThat(run.goesOnWith(failed, -Errno.ENOSPC, PipelineObserver.BYPASSED)).isTrue();
            run.end();
            run.end();
            assertThat(reports).containsExactly("queue 3: 2 READ of 4096, errno 28, 20 + 70 ns, flags 1");
            assertThat(run.goesOnWith(failed, -Errno.ENOSPC, PipelineObserver.BYPASSED)).as("the run has been reported").isFalse();
        }
    }
}
