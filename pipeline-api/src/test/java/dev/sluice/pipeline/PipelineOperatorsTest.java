package dev.sluice.pipeline;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.linux.Errno;
import dev.sluice.pipeline.testing.SimulatedFaults;
import dev.sluice.pipeline.testing.TestIo;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;
import reactor.core.publisher.Flux;
import reactor.core.scheduler.Scheduler;
import reactor.core.scheduler.Schedulers;

/** Flux operators before the stages: what they lose is answered, and the queue goes on. */
class PipelineOperatorsTest {
    private static final Scheduler ELSEWHERE = Schedulers.newSingle("operators-test", true);

    @AfterAll
    static void disposeScheduler() {
        ELSEWHERE.dispose();
    }

    private static PipelineRig rig(UnaryOperator<Flux<BlockRequest>> operator) {
        return new PipelineRig(builder -> builder.operator(operator));
    }

    private static List<Integer> results(List<TestIo> ios) {
        return ios.stream().map(TestIo::result).toList();
    }

    private static boolean odd(BlockRequest request) {
        return request.sector() % 2 == 1;
    }

    @Test
    void shouldTellTheObserverHowManyRequestsEachTurnTook() {
        try (PipelineRig rig = rig(flux -> flux)) {
            rig.sink().hold();
            rig.submitReads(5);
            rig.settle();
            rig.submitReads(2);
            rig.settle();
            assertThat(rig.turns).containsExactly(new PipelineRig.Turn(0, 5, 5), new PipelineRig.Turn(0, 2, 7));
            rig.sink().releaseAll();
            rig.settle();
        }
    }

    @Test
    void shouldFailWhatAFilterDropsAndServeTheRest() {
        try (PipelineRig rig = rig(flux -> flux.filter(request -> !odd(request)))) {
            List<TestIo> reads = rig.submitReads(100);
            rig.settle();
            for (TestIo read : reads) {
                assertThat(read.result()).isEqualTo(read.sector() % 2 == 1 ? -Errno.ECANCELED : 512);
            }
            assertThat(rig.seen).as("the observer hears of the dropped ones too").hasSize(100);
        }
    }

    @Test
    void shouldFailOnlyTheRequestThatAnOperatorFailedOn() {
        try (PipelineRig rig = rig(flux -> flux.map(request -> {
            if (request.sector() == 5) {
                throw new IllegalStateException("thrown on purpose");
            }
            return request;
        }))) {
            List<TestIo> reads = rig.submitReads(40);
            rig.settle();
            assertThat(results(reads)).filteredOn(result -> result != 512).containsExactly(-Errno.ECANCELED);
            assertThat(reads.get(5).result()).isEqualTo(-Errno.ECANCELED);
        }
    }

    @Test
    void shouldFailEveryRequestAndGoOnWhenAnOperatorFailsOnEach() {
        AtomicInteger failures = new AtomicInteger();
        try (PipelineRig rig = rig(flux -> flux.filter(request -> {
            failures.incrementAndGet();
            throw new IllegalStateException("thrown on purpose");
        }))) {
            List<TestIo> reads = rig.submitReads(20);
            rig.settle();
            assertThat(results(reads)).containsOnly(-Errno.ECANCELED);
            assertThat(failures).as("each passage met one request; the queue was not fenced off").hasValue(20);
        }
    }

    @Test
    void shouldGoOnWhenAnOperatorEndsTheFlux() {
        try (PipelineRig rig = rig(flux -> flux.take(3))) {
            List<TestIo> reads = rig.submitReads(50);
            rig.settle();
            assertThat(results(reads)).containsOnly(512);
        }
    }

    @Test
    void shouldServeRequestsThatWaitBehindATakeOnAnotherThread() {
        // take cancels the source inside onNext while publishOn still holds the last request.
        try (PipelineRig rig = rig(flux -> flux.take(3).publishOn(ELSEWHERE))) {
            List<TestIo> reads = rig.submitReads(50);
            rig.settleUntilAnswered(reads);
            assertThat(results(reads)).containsOnly(512);
        }
    }

    @Test
    void shouldBringRequestsHomeWhenAnOperatorChangesTheThread() {
        AtomicInteger onLoop = new AtomicInteger();
        try (PipelineRig rig = new PipelineRig(builder -> builder.operator(flux -> flux.publishOn(ELSEWHERE))
                .stage((request, chain) -> {
                    if (request.loop().inLoop()) {
                        onLoop.incrementAndGet();
                    }
                    return chain.proceed(request);
                }))) {
            List<TestIo> reads = rig.submitReads(200);
            rig.settleUntilAnswered(reads);
            assertThat(results(reads)).containsOnly(512);
            assertThat(onLoop).hasValue(200);
        }
    }

    @Test
    void shouldAnswerEverythingWhenAnOperatorFailsOnAnotherThread() {
        try (PipelineRig rig = rig(flux -> flux.publishOn(ELSEWHERE).filter(request -> {
            if (request.sector() % 7 == 3) {
                throw new IllegalStateException("thrown on purpose");
            }
            return true;
        }))) {
            List<TestIo> reads = rig.submitReads(300);
            rig.settleUntilAnswered(reads);
            for (TestIo read : reads) {
                if (read.sector() % 7 == 3) {
                    assertThat(read.result()).isEqualTo(-Errno.ECANCELED);
                } else {
                    assertThat(read.result()).isIn(512, -Errno.ECANCELED);
                }
                assertThat(read.completions()).isEqualTo(1);
            }
        }
    }

    @Test
    void shouldAnswerWhatABufferHeldWhenItsOperatorFails() {
        try (PipelineRig rig = rig(flux -> flux.buffer(4).<BlockRequest>flatMapIterable(batch -> {
            if (batch.getFirst().sector() == 4) {
                throw new IllegalStateException("thrown on purpose");
            }
            return batch;
        }))) {
            List<TestIo> reads = rig.submitReads(12);
            rig.settle();
            assertThat(results(reads).subList(0, 4)).containsOnly(512);
            assertThat(results(reads).subList(4, 8)).containsOnly(-Errno.ECANCELED);
            assertThat(reads).allMatch(TestIo::completed);
        }
    }

    @Test
    void shouldLetAnOperatorAnswerByItself() {
        try (PipelineRig rig = rig(flux -> flux.filter(request -> {
            if (odd(request)) {
                request.complete(-Errno.EPERM);
                return false;
            }
            return true;
        }))) {
            List<TestIo> reads = rig.submitReads(60);
            rig.settle();
            for (TestIo read : reads) {
                assertThat(read.result()).isEqualTo(read.sector() % 2 == 1 ? -Errno.EPERM : 512);
                assertThat(read.completions()).isEqualTo(1);
            }
        }
    }

    @Test
    void shouldServeARequestOnceWhenAnOperatorPassesItOnTwice() {
        try (PipelineRig rig = rig(flux -> flux.concatMapIterable(request -> List.of(request, request)))) {
            List<TestIo> reads = rig.submitReads(30);
            rig.settle();
            assertThat(results(reads)).containsOnly(512);
            assertThat(rig.sink().submissions()).isEqualTo(30);
        }
    }

    @Test
    void shouldAnswerWhatAnOperatorSwallowedAtTheLatestWhenTheQueueStops() {
        List<TestIo> reads;
        try (PipelineRig rig = rig(flux -> flux.handle((request, downstream) -> {
            if (!odd(request)) {
                downstream.next(request);
            }
        }))) {
            reads = rig.submitReads(8);
            rig.settle();
            assertThat(reads.get(0).result()).isEqualTo(512);
            assertThat(reads.get(1).completed()).isFalse();
        }
        assertThat(reads.get(1).result()).isEqualTo(-Errno.ECANCELED);
    }

    @Test
    void shouldFenceTheQueueOffWhenOperatorsEndWithoutARequest() {
        List<UnaryOperator<Flux<BlockRequest>>> broken = List.of(
                flux -> Flux.empty(),
                flux -> Flux.error(new IllegalStateException("made up")),
                flux -> flux.take(0),
                flux -> {
                    throw new IllegalStateException("thrown on purpose");
                });
        for (UnaryOperator<Flux<BlockRequest>> operator : broken) {
            try (PipelineRig rig = rig(operator)) {
                List<TestIo> reads = rig.submitReads(50);
                rig.settle();
                assertThat(results(reads)).containsOnly(-Errno.EIO);
            }
        }
    }

    @Test
    void shouldFailTheRingOnceAndGoOnWithTheOthersWhenAQueueBreaks() {
        List<Throwable> errors = new ArrayList<>();
        try (PipelineRig rig = rig(flux -> flux.doOnError(errors::add))) {
            rig.sink().hold();
            TestIo out = rig.submit(TestIo.read(0, 512));
            rig.settle();
            rig.queue.breakRing("made up");
            rig.settle();
            assertThat(errors).singleElement().isInstanceOf(BrokenQueueException.class);
            assertThat(out.completed()).as("what was in flight continues").isFalse();
            rig.sink().releaseAll();
            rig.settle();
            assertThat(out.result()).isEqualTo(512);
        }
    }

    @Test
    void shouldKeepTheWindowWhenPassagesFollowOneAnother() {
        try (PipelineRig rig = new PipelineRig(16, 4, SimulatedFaults.NONE, builder -> builder.operator(flux -> flux.take(1)))) {
            rig.sink().hold();
            List<TestIo> reads = rig.submitReads(16);
            rig.settle();
            assertThat(rig.queue.polls()).as("no more than the sink takes, however often the flux is subscribed to").isEqualTo(4);
            rig.sink().releaseAll();
            rig.settle();
            assertThat(results(reads)).containsOnly(512);
        }
    }
}
