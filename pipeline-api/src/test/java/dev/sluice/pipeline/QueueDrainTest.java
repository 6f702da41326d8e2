package dev.sluice.pipeline;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.linux.CapturedLog;
import dev.sluice.linux.Errno;
import dev.sluice.pipeline.testing.SimulatedBackend;
import dev.sluice.pipeline.testing.SimulatedFaults;
import dev.sluice.pipeline.testing.TestIo;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import reactor.core.publisher.Mono;

/** What the log says of a queue that does not get stopped, and what is counted. {@link DrainLimitTest} has what becomes of its requests. */
class QueueDrainTest {
    private static final long SECOND = 1_000_000_000L;
    private static final int LIMIT_SECONDS = 30;

    /** Keeps requests from sector 100 on for good. */
    private record Keeps(String name) implements BlockStage {
        @Override
        public Mono<BlockResult> handle(BlockRequest request, Chain chain) {
            return request.sector() < 100 ? chain.proceed(request) : Mono.<BlockResult>never().doOnNext(status -> request.discard());
        }
    }

    private static PipelineRig rig() {
        return rig(128);
    }

    private static PipelineRig rig(int queueSize) {
        return new PipelineRig(queueSize, SimulatedBackend.DEFAULT_CAPACITY, SimulatedFaults.NONE,
                builder -> builder.diskName("vm1").stage(new Keeps("keeps")));
    }

    private static void pass(PipelineRig rig, long nanos) {
        rig.loop.advanceNanos(nanos);
        rig.settle();
    }

    @Test
    void shouldSayEveryTenSecondsWhatAStopWaitsFor() {
        try (PipelineRig rig = rig(); CapturedLog log = new CapturedLog()) {
            rig.sink().hold();
            rig.submit(TestIo.read(0, 512));
            rig.submit(TestIo.read(1, 512));
            rig.submit(TestIo.read(100, 512));
            rig.settle();
            pass(rig, 5 * SECOND);
            rig.source.stop(() -> {});
            rig.source.stop(() -> {});
            pass(rig, 10 * SECOND - 1);
            assertThat(log.lines("stopping")).isEmpty();
            pass(rig, 1);
            assertThat(log.lines("stopping")).singleElement().asString().endsWith(
                    "disk vm1, queue 0: stopping for 10 s: 3 requests in flight, 1 of them held by stages; waiting for the backend to complete the others");
            pass(rig, 10 * SECOND);
            pass(rig, 10 * SECOND);
            assertThat(log.lines("stopping")).hasSize(3).last().asString().contains("stopping for 30 s: 2 requests in flight, 0 of them held by stages");
            assertThat(log.lines("has held it")).hasSize(3).first().asString().endsWith("disk vm1, queue 0: READ of 512 bytes at sector 100 failed: ECANCELED"
                    + " (operation canceled): stage keeps has held it for 35000 ms; the drain limit is 30000 ms");
            assertThat(log.lines("has held it")).last().asString().contains("sector 0 failed")
                    .contains("the backend, below stage keeps, has held it for 35000 ms");
            rig.sink().releaseAll();
            rig.settle();
            pass(rig, 10 * SECOND);
            assertThat(log.lines("stopping")).as("the queue has stopped").hasSize(3);
        }
    }

    @Test
    void shouldCountTheRequestsOfALimitOnce() {
        try (PipelineRig rig = rig()) {
            rig.sink().hold();
            rig.submit(TestIo.read(0, 512));
            rig.submit(TestIo.read(100, 512));
            rig.submit(TestIo.read(101, 512));
            rig.settle();
            rig.source.stop(() -> {});
            pass(rig, LIMIT_SECONDS * SECOND);
            assertThat(rig.pipeline.failedAtDrainLimit()).isEqualTo(3);
            rig.pipeline.cutDrainShort();
            rig.settle();
            assertThat(rig.pipeline.failedAtDrainLimit()).as("the limit ends once").isEqualTo(3);
        }
    }

    @Test
    void shouldEndTheLimitAtOnceAndNotInTheCallThatStopsWhereThereIsNoTimeLeft() {
        for (boolean before : new boolean[] {true, false}) {
            try (PipelineRig rig = rig()) {
                TestIo read = rig.submit(TestIo.read(100, 512));
                rig.settle();
                if (before) {
                    rig.pipeline.cutDrainShort();
                    rig.settle();
                    assertThat(read.completed()).as("nobody stops the queue").isFalse();
                }
                rig.source.stop(() -> {});
                if (!before) {
                    rig.settle();
                    rig.pipeline.cutDrainShort();
                }
                assertThat(read.completed()).isFalse();
                rig.settle();
                assertThat(read.result()).isEqualTo(-Errno.ECANCELED);
                assertThat(rig.pipeline.failedAtDrainLimit()).isEqualTo(1);
            }
        }
    }

    @Test
    void shouldNameSixtyFourRequestsAndCountTheOthers() {
        for (int count : new int[] {63, 64, 65, 70}) {
            try (PipelineRig rig = rig(); CapturedLog log = new CapturedLog()) {
                for (int i = 0; i < count; i++) {
                    rig.submit(TestIo.read(100 + i, 512));
                }
                rig.settle();
                rig.source.stop(() -> {});
                pass(rig, LIMIT_SECONDS * SECOND);
                assertThat(log.lines("has held it")).hasSize(Math.min(count, 64));
                List<String> more = log.lines("more requests fail at the drain limit");
                if (count > 64) {
                    assertThat(more).singleElement().asString().endsWith("queue 0: " + (count - 64) + " more requests fail at the drain limit");
                } else {
                    assertThat(more).isEmpty();
                }
                assertThat(rig.pipeline.failedAtDrainLimit()).isEqualTo(count);
            }
        }
    }

    @Test
    void shouldSayWhyMemoryOfOperatorsStays() {
        try (PipelineRig rig = new PipelineRig(builder -> builder.operator(flux -> flux.delayUntil(request -> Mono.never())));
                CapturedLog log = new CapturedLog()) {
            TestIo read = rig.submit(TestIo.read(7, 512));
            rig.settle();
            rig.source.stop(() -> {});
            pass(rig, LIMIT_SECONDS * SECOND);
            assertThat(read.result()).isEqualTo(-Errno.ECANCELED);
            assertThat(rig.pipeline.failedAtDrainLimit()).isEqualTo(1);
            assertThat(log.lines("has held it")).first().asString().contains("READ of 512 bytes at sector 7").contains("an operator has held it for 30000 ms");
            rig.source.whenReleased(() -> {});
            assertThat(log.lines("its memory stays: operators had requests of it when the drain limit ended")).hasSize(1);
        }
    }

    /** Once a queue has drained it may be another loop's: the limit must not touch its requests. */
    @Test
    void shouldLeaveAQueueAloneThatHasDrainedWhenItsLimitEnds() {
        // One slot: the request of the next source has the object of the one before.
        try (PipelineRig rig = rig(1)) {
            rig.sink().hold();
            TestIo last = rig.submit(TestIo.read(0, 512));
            rig.settle();
            AtomicInteger drained = new AtomicInteger();
            rig.source.stop(drained::incrementAndGet);
            rig.sink().releaseAll();
            rig.settle();
            assertThat(drained).hasValue(1);
            assertThat(last.result()).isEqualTo(512);
            QueueSource next = rig.queue.feed(new QueueSource(rig.loop, rig.queue));
            Recorder subscriber = new Recorder();
            next.subscribe(subscriber);
            subscriber.request(1);
            TestIo read = rig.submit(TestIo.read(1, 512));
            next.kicked();
            rig.settle();
            assertThat(subscriber.requests).hasSize(1);
            pass(rig, LIMIT_SECONDS * SECOND);
            rig.pipeline.cutDrainShort();
            rig.settle();
            assertThat(read.completed()).isFalse();
            assertThat(rig.pipeline.failedAtDrainLimit()).isZero();
            subscriber.completeAll();
            assertThat(read.result()).isZero();
            List<String> told = new ArrayList<>();
            next.stop(() -> told.add("stopped"));
            assertThat(told).containsExactly("stopped");
        }
    }
}
