package dev.sluice.pipeline;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sluice.linux.Errno;
import dev.sluice.pipeline.testing.SimulatedFaults;
import dev.sluice.pipeline.testing.TestIo;
import java.lang.foreign.ValueLayout;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;
import reactor.core.publisher.MonoSink;
import reactor.core.scheduler.Scheduler;
import reactor.core.scheduler.Schedulers;

/** A signal that comes when its request has ended already never reaches the request that has the pooled object next. */
class LateSignalTest {
    private static final Scheduler ELSEWHERE = Schedulers.newSingle("late-signal-test", true);

    @AfterAll
    static void disposeScheduler() {
        ELSEWHERE.dispose();
    }

    /** One request at a time, so that the next one has the same object. */
    private static PipelineRig rig(BlockStage stage) {
        return new PipelineRig(1, 8, SimulatedFaults.NONE, builder -> builder.stage(stage));
    }

    private static byte[] ones() {
        byte[] ones = new byte[512];
        Arrays.fill(ones, (byte) 1);
        return ones;
    }

    private static byte written(PipelineRig rig, long sector) {
        return rig.backend.visible().get(ValueLayout.JAVA_BYTE, sector * 512);
    }

    @Test
    void shouldPerformTheNextWriteWhenTheMonoOfAStageThatCompletedItsRequestEndsLate() {
        AtomicBoolean lateEnded = new AtomicBoolean();
        try (PipelineRig rig = rig((request, chain) -> {
            if (request.sector() == 0) {
                request.complete(512);
                return Mono.delay(Duration.ofMillis(30), ELSEWHERE).thenReturn(BlockResult.OK).doFinally(end -> lateEnded.set(true));
            }
            // The object is in use again, and nothing of it has reached the disk, when the late signal comes.
            return Mono.fromRunnable(() -> {}).repeatWhen(again -> again.delayElements(Duration.ofMillis(5), ELSEWHERE).takeUntil(tick -> lateEnded.get()))
                    .then(Mono.delay(Duration.ofMillis(50), ELSEWHERE)).then(chain.proceed(request));
        })) {
            TestIo first = rig.submit(TestIo.write(0, ones()));
            TestIo second = rig.submit(TestIo.write(1, ones()));
            rig.settleUntilAnswered(List.of(first, second));
            assertThat(lateEnded).isTrue();
            assertThat(first.result()).isEqualTo(512);
            assertThat(second.result()).isEqualTo(512);
            assertThat(written(rig, 1)).as("the second write reached the disk").isEqualTo((byte) 1);
            assertThat(written(rig, 0)).as("the stage completed the first itself").isZero();
            assertThat(first.completions() + second.completions()).isEqualTo(2);
        }
    }

    @Test
    void shouldKeepTheNextResultWhenALateSignalIsAnError() {
        List<MonoSink<BlockResult>> late = new ArrayList<>();
        try (PipelineRig rig = rig((request, chain) -> {
            if (request.sector() == 0) {
                request.complete(-Errno.ENOSPC);
                return Mono.create(late::add);
            }
            return chain.proceed(request);
        })) {
            assertThat(rig.result(TestIo.write(0, ones()))).isEqualTo(-Errno.ENOSPC);
            rig.sink().hold();
            TestIo next = rig.submit(TestIo.write(1, ones()));
            rig.settle();
            late.getFirst().error(new IllegalStateException("late, and on purpose"));
            rig.settle();
            assertThat(next.completed()).isFalse();
            rig.sink().releaseAll();
            rig.settle();
            assertThat(next.result()).isEqualTo(512);
            assertThat(written(rig, 1)).isEqualTo((byte) 1);
        }
    }

    @Test
    void shouldIgnoreALateSignalWhileTheObjectIsFree() {
        List<MonoSink<BlockResult>> late = new ArrayList<>();
        try (PipelineRig rig = rig((request, chain) -> {
            request.complete(512);
            return Mono.create(late::add);
        })) {
            TestIo first = rig.submit(TestIo.write(0, ones()));
            rig.settle();
            late.getFirst().success(BlockResult.failed(Errno.EIO));
            rig.settle();
            assertThat(first.result()).isEqualTo(512);
            assertThat(rig.loop.takeFailures()).isEmpty();
        }
    }

    @Test
    void shouldNotLetAStageCompleteTheNextRequestThroughTheOneItKept() throws InterruptedException {
        List<BlockRequest> kept = new ArrayList<>();
        try (PipelineRig rig = rig((request, chain) -> {
            kept.add(request);
            return chain.proceed(request);
        })) {
            assertThat(rig.result(TestIo.write(0, ones()))).isEqualTo(512);
            rig.sink().hold();
            TestIo next = rig.submit(TestIo.write(1, ones()));
            rig.settle();
            BlockRequestTest.onAnotherThread(() -> kept.getFirst().complete(-Errno.EPERM));
            kept.getFirst().complete(-Errno.EPERM);
            kept.getFirst().discard();
            rig.settle();
            assertThat(next.completed()).isFalse();
            assertThatThrownBy(() -> kept.getFirst().copyDataTo(0, new byte[1], 0, 1)).isInstanceOf(IllegalStateException.class)
                    .hasMessageContaining("completed");
            rig.sink().releaseAll();
            rig.settle();
            assertThat(next.result()).isEqualTo(512);
        }
    }

    @Test
    void shouldWaitForTheSinkWhenAStageCompletesARequestThatIsInFlight() {
        try (PipelineRig rig = rig((request, chain) -> {
            chain.proceed(request).subscribe();
            request.complete(-Errno.ENOSPC);
            return Mono.never();
        })) {
            rig.sink().hold();
            TestIo write = rig.submit(TestIo.write(0, ones()));
            rig.settle();
            assertThat(write.completed()).as("the kernel still reads the guest's buffer").isFalse();
            rig.sink().releaseAll();
            rig.settle();
            assertThat(write.result()).isEqualTo(-Errno.ENOSPC);
            assertThat(write.completions()).isEqualTo(1);
        }
    }

    @Test
    void shouldIgnoreARequestThatComesOutOfOperatorsThatHaveEnded() {
        List<MonoSink<BlockRequest>> gates = new ArrayList<>();
        List<BlockRequest> lost = new ArrayList<>();
        try (PipelineRig rig = new PipelineRig(1, 8, SimulatedFaults.NONE, builder -> builder.operator(flux -> new Flux<>() {
            // Operators that break the rules: they signal after their end.
            @Override
            public void subscribe(reactor.core.CoreSubscriber<? super BlockRequest> actual) {
                flux.subscribe(new reactor.core.publisher.BaseSubscriber<>() {
                    @Override
                    protected void hookOnSubscribe(org.reactivestreams.Subscription upstream) {
                        actual.onSubscribe(upstream);
                    }

                    @Override
                    protected void hookOnNext(BlockRequest request) {
                        if (lost.isEmpty()) {
                            lost.add(request);
                            Mono.<BlockRequest>create(gates::add).subscribe(actual::onNext);
                            actual.onError(new IllegalStateException("ended on purpose"));
                        } else {
                            actual.onNext(request);
                        }
                    }
                });
            }
        }))) {
            TestIo first = rig.submit(TestIo.write(0, ones()));
            rig.settle();
            assertThat(first.result()).isEqualTo(-Errno.ECANCELED);
            rig.sink().hold();
            TestIo next = rig.submit(TestIo.write(1, ones()));
            rig.settle();
            gates.getFirst().success(lost.getFirst());
            rig.settle();
            assertThat(rig.sink().submissions()).isEqualTo(1);
            rig.sink().releaseAll();
            rig.settle();
            assertThat(next.result()).isEqualTo(512);
        }
    }
}
