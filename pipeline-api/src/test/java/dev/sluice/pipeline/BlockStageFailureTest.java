package dev.sluice.pipeline;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.linux.CapturedLog;
import dev.sluice.linux.Errno;
import dev.sluice.pipeline.testing.TestIo;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import reactor.core.CoreSubscriber;
import reactor.core.publisher.Mono;
import reactor.core.publisher.Operators;
import reactor.core.scheduler.Scheduler;
import reactor.core.scheduler.Schedulers;

/** Stages that break their contract: the request fails, the queue goes on. */
class BlockStageFailureTest {

    private static PipelineRig rig(BlockStage stage) {
        return new PipelineRig(builder -> builder.stage(stage));
    }

    @Test
    void shouldFailTheRequestWhenItsStageFails() {
        List<BlockStage> failing = List.of(
                (request, chain) -> Mono.error(new IllegalStateException("made up")),
                (request, chain) -> Mono.empty(),
                (request, chain) -> {
                    throw new IllegalStateException("thrown on purpose");
                },
                (request, chain) -> {
                    throw new AssertionError("thrown on purpose");
                },
                (request, chain) -> chain.proceed(request).then(Mono.error(new IllegalStateException("afterwards"))),
                (request, chain) -> chain.proceed(request).zipWith(chain.proceed(request), (one, other) -> one),
                new Undecided());
        for (BlockStage stage : failing) {
            try (PipelineRig rig = rig(stage)) {
                List<TestIo> reads = rig.submitReads(40);
                rig.settle();
                assertThat(reads).allMatch(read -> read.result() == -Errno.EIO && read.completions() == 1);
            }
        }
    }

    private static final class Undecided implements BlockStage {
        @Override
        public Mono<BlockResult> handle(BlockRequest request, Chain chain) {
            return chain.proceed(request);
        }

        @Override
        public boolean interestedIn(BlockRequest request) {
            throw new IllegalStateException("thrown on purpose");
        }
    }

    @Test
    void shouldFailARequestThatAStageReplaces() {
        List<BlockRequest> known = new ArrayList<>();
        try (PipelineRig rig = rig((request, chain) -> {
            known.add(request);
            return chain.proceed(known.getFirst());
        })) {
            rig.sink().hold();
            TestIo first = rig.submit(TestIo.read(0, 512));
            TestIo second = rig.submit(TestIo.read(1, 512));
            rig.settle();
            assertThat(second.result()).isEqualTo(-Errno.EIO);
            assertThat(first.completed()).isFalse();
            rig.sink().releaseAll();
            rig.settle();
            assertThat(first.result()).isEqualTo(512);
        }
    }

    @Test
    void shouldKeepTheFirstOutcomeWhenAMonoThatIsNoneEndsTwice() {
        BlockStage wrong = (request, chain) -> new Mono<>() {
            @Override
            public void subscribe(CoreSubscriber<? super BlockResult> actual) {
                actual.onSubscribe(Operators.emptySubscription());
                actual.onNext(BlockResult.OK);
                actual.onComplete();
                actual.onError(new IllegalStateException("a second end"));
            }
        };
        try (PipelineRig rig = rig(wrong)) {
            TestIo read = rig.submit(TestIo.read(0, 512));
            rig.settle();
            assertThat(read.result()).isEqualTo(512);
            assertThat(read.completions()).isEqualTo(1);
        }
    }

    /** Reactor throws such an error at whatever thread its operators are on, where it would be lost with the request. */
    @Test
    void shouldFailOnTheLoopWhatFailsWithAnErrorOfTheJvmOnAnotherThread() throws InterruptedException {
        List<Runnable> elsewhere = new ArrayList<>();
        Scheduler byHand = Schedulers.fromExecutor(elsewhere::add);
        try (CapturedLog log = new CapturedLog(); PipelineRig rig = rig((request, chain) -> chain.proceed(request).publishOn(byHand).map(status -> {
            throw new NoClassDefFoundError("on purpose");
        }))) {
            TestIo read = rig.submit(TestIo.read(0, 512));
            rig.settle();
            assertThat(elsewhere).hasSize(1);
            BlockRequestTest.onAnotherThread(elsewhere.getFirst());
            assertThat(read.completed()).as("the loop has not heard of it").isFalse();
            rig.settle();
            assertThat(read.result()).isEqualTo(-Errno.EIO);
            assertThat(log.lines("NoClassDefFoundError: on purpose")).hasSize(1);
        }
    }

    @Test
    void shouldCompleteOnTheLoopWhatEndsOnAnotherThread() throws InterruptedException {
        List<Runnable> elsewhere = new ArrayList<>();
        Scheduler byHand = Schedulers.fromExecutor(elsewhere::add);
        try (PipelineRig rig = rig((request, chain) -> chain.proceed(request).publishOn(byHand))) {
            TestIo read = rig.submit(TestIo.read(0, 512));
            rig.settle();
            BlockRequestTest.onAnotherThread(elsewhere.getFirst());
            assertThat(read.completed()).as("the loop has not heard of it").isFalse();
            rig.settle();
            assertThat(read.result()).isEqualTo(512);
        }
    }
}
