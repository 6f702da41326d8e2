package dev.sluice.pipeline;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.linux.CapturedLog;
import dev.sluice.pipeline.testing.TestIo;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Whatever an observer throws, Errors too, every request ends. */
class ThrowingObserverTest {
    private static PipelineObserver throwing(String where) {
        return new PipelineObserver() {
            @Override
            public void requestCompleted(int queue, BlockOp op, long bytes, int errno, long waitNanos, long deviceNanos, int flags) {
                fail("completed");
            }

            @Override
            public void taken(int queue, int requests, int inFlight) {
                fail("taken");
            }

            private void fail(String here) {
                if (where.equals(here)) {
                    throw new NoClassDefFoundError("simulated");
                }
            }
        };
    }

    @ParameterizedTest
    @ValueSource(strings = {"completed", "taken"})
    void shouldEndEveryRequestWhenTheObserverThrowsAnError(String where) {
        try (CapturedLog log = new CapturedLog(); PipelineRig rig = new PipelineRig(builder -> builder.observer(throwing(where)))) {
            // Of different kinds, so that the observer is told in the midst of them.
            for (int i = 0; i < 10; i++) {
                TestIo read = rig.submit(TestIo.read(i, 512));
                TestIo flush = rig.submit(TestIo.flush());
                rig.settle();
                assertThat(read.completed()).isTrue();
                assertThat(flush.completed()).isTrue();
            }
            assertThat(rig.queue.inFlight()).isZero();
            assertThat(rig.loop.takeFailures()).isEmpty();
            assertThat(log.lines("the observer of the pipeline failed")).as("one a second").hasSizeBetween(1, 8);
        }
    }
}
