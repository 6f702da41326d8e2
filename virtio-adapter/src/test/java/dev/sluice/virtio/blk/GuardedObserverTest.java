package dev.sluice.virtio.blk;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.linux.CapturedLog;
import dev.sluice.linux.Errno;
import dev.sluice.pipeline.BlockOp;
import dev.sluice.pipeline.PipelineObserver.QueueEvent;
import dev.sluice.pipeline.PipelineObserver;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;

/** An observer gets what it is told, and what it throws goes no further than the log. */
final class GuardedObserverTest {
    private static final List<Consumer<GuardedObserver>> EVENTS = List.of(
            GuardedObserver::kicked,
            observer -> observer.completedAtOnce(BlockOp.DISCARD, Errno.EOPNOTSUPP),
            observer -> observer.published(7, true),
            observer -> observer.queueEvent(QueueEvent.BROKEN));

    private final List<String> seen = new ArrayList<>();

    private final PipelineObserver recording = new PipelineObserver() {
        @Override
        public void kicked(int queue) {
            seen.add("kicked " + queue);
        }

        @Override
        public void requestCompleted(int queue, BlockOp op, long bytes, int errno, long waitNanos, long deviceNanos, int flags) {
            seen.add("completed " + queue + " " + op + " " + bytes + " " + errno + " " + waitNanos + " " + deviceNanos + " " + flags);
        }

        @Override
        public void published(int queue, int elements, boolean called) {
            seen.add("published " + queue + " " + elements + " " + called);
        }

        @Override
        public void queueEvent(int queue, QueueEvent event) {
            seen.add(event + " " + queue);
        }
    };

    @Test
    void shouldPassOnWhatHappens() {
        GuardedObserver observer = new GuardedObserver(recording, 3);
        EVENTS.forEach(event -> event.accept(observer));
        assertThat(seen)
                .containsExactly(
                        "kicked 3",
                        "completed 3 DISCARD 0 " + Errno.EOPNOTSUPP + " 0 0 " + PipelineObserver.BYPASSED,
                        "published 3 7 true",
                        "BROKEN 3");
    }

    private static PipelineObserver throwing() {
        return new PipelineObserver() {
            @Override
            public void kicked(int queue) {
                throw new IllegalStateException("kicked");
            }

            @Override
            public void requestCompleted(int queue, BlockOp op, long bytes, int errno, long waitNanos, long deviceNanos, int flags) {
                throw new AssertionError("completed");
            }

            @Override
            public void published(int queue, int elements, boolean called) {
                throw new StackOverflowError("published");
            }

            @Override
            public void queueEvent(int queue, QueueEvent event) {
                throw new IllegalArgumentException("queueEvent");
            }
        };
    }

    @Test
    void shouldLogEveryKindOfEventWhoseObserverThrows() {
        for (int i = 0; i < EVENTS.size(); i++) {
            GuardedObserver observer = new GuardedObserver(throwing(), 5);
            try (CapturedLog log = new CapturedLog()) {
                EVENTS.get(i).accept(observer);
                assertThat(log.of(GuardedObserver.class)).containsExactly("ERROR: queue 5: the observer of the pipeline failed");
            }
        }
    }

    @Test
    void shouldLogRepeatedFailuresRarely() {
        GuardedObserver observer = new GuardedObserver(throwing(), 0);
        try (CapturedLog log = new CapturedLog()) {
            for (int i = 0; i < 100; i++) {
                EVENTS.get(i % EVENTS.size()).accept(observer);
            }
            assertThat(log.of(GuardedObserver.class)).hasSizeBetween(1, 9).first().asString().endsWith("the observer of the pipeline failed");
        }
    }
}
