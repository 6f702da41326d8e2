package dev.sluice.pipeline;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.linux.Errno;
import dev.sluice.pipeline.testing.SimulatedFaults;
import dev.sluice.pipeline.testing.TestIo;
import dev.sluice.pipeline.testing.TestQueue;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.RejectedExecutionException;
import org.junit.jupiter.api.Test;
import org.reactivestreams.Subscription;
import reactor.core.CoreSubscriber;
import reactor.core.publisher.Mono;
import reactor.core.publisher.MonoSink;
import reactor.core.publisher.Operators;

/** A stage that subscribes to the rest of the chain by hand: each subscription is an attempt. And what is logged of stages that break their contract. */
class StageCallTest {

    /** Keeps request and rest of the chain for the test; completes the request when the test says so. */
    private static final class ByHand implements BlockStage {
        final List<BlockRequest> requests = new ArrayList<>();
        final List<Mono<BlockStatus>> rests = new ArrayList<>();
        final List<MonoSink<BlockStatus>> outcomes = new ArrayList<>();

        @Override
        public Mono<BlockStatus> handle(BlockRequest request, Chain chain) {
            requests.add(request);
            rests.add(chain.proceed(request));
            return Mono.create(outcomes::add);
        }

        @Override
        public String name() {
            return "by-hand";
        }

        Attempt attempt() {
            Attempt attempt = new Attempt();
            rests.getLast().subscribe(attempt);
            return attempt;
        }

        void end(PipelineRig rig, BlockStatus status) {
            outcomes.getLast().success(status);
            rig.settle();
        }
    }

    /** A subscriber without demand of its own. */
    private static class Attempt implements CoreSubscriber<BlockStatus> {
        final List<String> signals = new ArrayList<>();
        Subscription subscription = Operators.emptySubscription();

        @Override
        public void onSubscribe(Subscription mine) {
            subscription = mine;
        }

        @Override
        public void onNext(BlockStatus status) {
            signals.add(status.name());
        }

        @Override
        public void onError(Throwable failure) {
            signals.add(failure.getClass().getSimpleName() + " " + failure.getMessage());
        }

        @Override
        public void onComplete() {
            signals.add("complete");
        }
    }

    private static PipelineRig rig(BlockStage... stages) {
        return new PipelineRig(builder -> List.of(stages).forEach(builder::stage));
    }

    @Test
    void shouldSubmitOnceForAllDemandOfAnAttempt() {
        ByHand stage = new ByHand();
        try (PipelineRig rig = rig(stage)) {
            TestIo read = rig.submit(TestIo.read(0, 512));
            rig.settle();
            Attempt attempt = stage.attempt();
            rig.settle();
            assertThat(rig.sink().submissions()).as("no demand").isZero();
            attempt.subscription.request(0);
            rig.settle();
            assertThat(rig.sink().submissions()).as("no demand yet").isZero();
            attempt.subscription.request(1);
            attempt.subscription.request(Long.MAX_VALUE);
            rig.settle();
            assertThat(attempt.signals).containsExactly("OK", "complete");
            assertThat(rig.sink().submissions()).isEqualTo(1);
            stage.end(rig, BlockStatus.OK);
            assertThat(read.result()).isEqualTo(512);
        }
    }

    @Test
    void shouldShowTheStageWhatBecomesOfItsRequest() {
        ByHand stage = new ByHand();
        try (PipelineRig rig = rig(stage)) {
            rig.submit(TestIo.read(0, 512));
            rig.settle();
            BlockRequest shown = stage.requests.getFirst();
            assertThat(shown.state()).isEqualTo(BlockRequest.State.PARSED);
            rig.loop.advanceNanos(700);
            rig.loop.tick();
            rig.sink().hold();
            stage.attempt().subscription.request(1);
            rig.settle();
            assertThat(shown.state()).isEqualTo(BlockRequest.State.SUBMITTED);
            assertThat(shown.submittedNanos() - shown.availableNanos()).isEqualTo(700);
            rig.sink().release(rig.sink().held().getFirst(), Errno.ENOSPC);
            rig.settle();
            assertThat(shown.state()).isEqualTo(BlockRequest.State.COMPLETED);
            assertThat(shown.result()).isEqualTo(-Errno.ENOSPC);
            assertThat(shown.submittedNanos() - shown.availableNanos()).isEqualTo(700);
            stage.end(rig, BlockStatus.OK);
        }
    }

    /** Reactive Streams §3.12, §2.8: nothing is signalled once a cancellation has been heard of. */
    @Test
    void shouldSignalNothingToACancelledAttempt() {
        ByHand stage = new ByHand();
        try (PipelineRig rig = rig(stage)) {
            rig.submit(TestIo.read(0, 512));
            rig.settle();
            rig.sink().hold();
            Attempt cancelled = stage.attempt();
            cancelled.subscription.request(1);
            rig.settle();
            cancelled.subscription.cancel();
            rig.sink().releaseAll();
            rig.settle();
            assertThat(cancelled.signals).isEmpty();
            Attempt content = new Attempt() {
                @Override
                public void onNext(BlockStatus status) {
                    super.onNext(status);
                    subscription.cancel();
                }
            };
            stage.rests.getFirst().subscribe(content);
            content.subscription.request(1);
            rig.settle();
            assertThat(content.signals).containsExactly("OK");
            Attempt never = stage.attempt();
            never.subscription.cancel();
            never.subscription.request(1);
            rig.settle();
            assertThat(rig.sink().submissions()).isEqualTo(2);
            stage.end(rig, BlockStatus.OK);
        }
    }

    @Test
    void shouldLetTheLatestAttemptFollowACancelledOne() {
        ByHand stage = new ByHand();
        try (PipelineRig rig = rig(stage)) {
            rig.submit(TestIo.read(0, 512));
            rig.settle();
            rig.sink().hold();
            List<Attempt> attempts = new ArrayList<>();
            for (int i = 0; i < 5; i++) {
                attempts.add(stage.attempt());
            }
            attempts.get(0).subscription.request(1);
            attempts.get(1).subscription.request(1);
            assertThat(attempts.get(1).signals).as("the first is in flight").singleElement().asString().contains("IllegalStateException").contains("in flight");
            attempts.get(0).subscription.cancel();
            attempts.get(2).subscription.request(1);
            attempts.get(3).subscription.request(1);
            assertThat(attempts.get(2).signals).as("waits for the first to come back").isEmpty();
            assertThat(attempts.get(3).signals).as("the third waits already").singleElement().asString().contains("in flight");
            attempts.get(2).subscription.cancel();
            attempts.get(4).subscription.request(1);
            assertThat(attempts.get(4).signals).isEmpty();
            rig.settle();
            assertThat(rig.sink().submissions()).isEqualTo(1);
            rig.sink().releaseAll();
            rig.settle();
            assertThat(rig.sink().submissions()).isEqualTo(2);
            assertThat(attempts.get(4).signals).containsExactly("OK", "complete");
            assertThat(attempts.get(0).signals).isEmpty();
            assertThat(attempts.get(2).signals).isEmpty();
            stage.end(rig, BlockStatus.OK);
        }
    }

    @Test
    void shouldRefuseAnAttemptBehindTheOutcome() {
        ByHand stage = new ByHand();
        try (PipelineRig rig = rig(stage)) {
            TestIo read = rig.submit(TestIo.read(0, 512));
            rig.settle();
            stage.end(rig, BlockStatus.UNSUPP);
            Attempt late = stage.attempt();
            late.subscription.request(1);
            assertThat(late.signals).singleElement().asString().contains("has its outcome already");
            Attempt cancelled = new Attempt() {
                @Override
                public void onSubscribe(Subscription mine) {
                    mine.cancel();
                    mine.request(1);
                }
            };
            stage.rests.getFirst().subscribe(cancelled);
            assertThat(cancelled.signals).isEmpty();
            assertThat(read.status()).isEqualTo(BlockStatus.UNSUPP);
            assertThat(rig.sink().submissions()).isZero();
        }
    }

    @Test
    void shouldFailTheRequestWhenASubscriberThrowsAtItsSignal() {
        ByHand stage = new ByHand();
        try (PipelineRig rig = rig(stage)) {
            TestIo first = rig.submit(TestIo.read(0, 512));
            rig.settle();
            rig.sink().hold();
            stage.attempt().subscription.request(1);
            Attempt throwing = new Attempt() {
                @Override
                public void onError(Throwable failure) {
                    throw new NoClassDefFoundError("on purpose");
                }

                @Override
                public void onNext(BlockStatus status) {
                    throw new NoClassDefFoundError("on purpose");
                }
            };
            stage.rests.getLast().subscribe(throwing);
            throwing.subscription.request(1);
            rig.sink().releaseAll();
            rig.settle();
            assertThat(first.result()).as("refused").isEqualTo(-Errno.EIO);
            TestIo second = rig.submit(TestIo.read(0, 512));
            rig.settle();
            stage.rests.getLast().subscribe(throwing);
            throwing.subscription.request(1);
            rig.settle();
            assertThat(second.result()).as("signalled").isEqualTo(-Errno.EIO);
        }
    }

    @Test
    void shouldFailAnAttemptAndIgnoreAnOutcomeThatComeAfterTheLoop() throws InterruptedException {
        ByHand stage = new ByHand();
        try (PipelineRig rig = rig(stage)) {
            rig.submit(TestIo.read(0, 512));
            rig.settle();
            stage.requests.getFirst().complete(512);
            rig.settle();
        }
        Attempt late = stage.attempt();
        BlockRequestTest.onAnotherThread(() -> {
            late.subscription.request(1);
            stage.outcomes.getFirst().success(BlockStatus.OK);
        });
        assertThat(late.signals).singleElement().asString().startsWith(RejectedExecutionException.class.getSimpleName());
    }

    /** The sink has room as soon as it has completed a request, however long its stage takes from then on. */
    @Test
    void shouldLetTheNextRequestIntoAFullSinkWhileTheStageHasTheOneBefore() {
        ByHand stage = new ByHand();
        try (PipelineRig rig = new PipelineRig(8, 1, SimulatedFaults.NONE, builder -> builder.stage(stage));
                TestQueue other = new TestQueue(rig.loop, 1, 8)) {
            QueueSource source = other.feed(new QueueSource(rig.loop, other));
            rig.pipeline.connect(source);
            rig.sink().hold();
            rig.submit(TestIo.read(0, 512));
            other.submit(TestIo.read(1, 512));
            rig.settle();
            List<Attempt> attempts = new ArrayList<>();
            for (Mono<BlockStatus> rest : stage.rests) {
                Attempt attempt = new Attempt();
                rest.subscribe(attempt);
                attempt.subscription.request(1);
                attempts.add(attempt);
            }
            rig.settle();
            assertThat(rig.sink().held()).extracting(BlockRequest::sector).containsExactly(stage.requests.getFirst().sector());
            rig.sink().releaseAll();
            rig.settle();
            assertThat(attempts).allMatch(attempt -> attempt.signals.equals(List.of("OK", "complete")));
            stage.outcomes.forEach(outcome -> outcome.success(BlockStatus.OK));
            rig.settle();
            source.stop(() -> {});
        }
    }

    @Test
    void shouldNameTheStageThatFailedAndHowInTheLog() {
        BlockStage through = (request, chain) -> chain.proceed(request);
        assertThat(logged(through, new ByHandStatus("empty", Mono.empty()))).contains("disk simulated, queue 0: stage empty gave no outcome for READ sector 3");
        assertThat(logged(through, new ByHandStatus("broken", Mono.error(new IllegalStateException("made up")))))
                .contains("disk simulated, queue 0: stage broken failed on READ sector 3").contains("made up");
        assertThat(logged(through, new ByHandStatus("fine", Mono.just(BlockStatus.OK)))).doesNotContain("ERROR");
        assertThat(logged(through, new ByHandStatus("fails", Mono.just(BlockStatus.IOERR)))).doesNotContain("ERROR").contains("EIO (input/output error)");
    }

    private record ByHandStatus(String name, Mono<BlockStatus> outcome) implements BlockStage {
        @Override
        public Mono<BlockStatus> handle(BlockRequest request, Chain chain) {
            return outcome;
        }
    }

    /** What is logged of forty requests: the first failure, and one a second at the most. */
    private static String logged(BlockStage... stages) {
        try (PipelineRig rig = rig(stages); CapturedLog log = new CapturedLog()) {
            for (int i = 0; i < 40; i++) {
                rig.submit(TestIo.read(3, 512));
            }
            rig.settle();
            assertThat(log.lines("READ")).as("lines about requests").hasSizeLessThan(20);
            return String.join("\n", log.lines());
        }
    }

    @Test
    void shouldLogASecondOutcomeAndKeepTheFirst() {
        ByHand stage = new ByHand();
        try (PipelineRig rig = rig(stage); CapturedLog log = new CapturedLog()) {
            List<TestIo> reads = new ArrayList<>();
            for (int i = 0; i < 15; i++) {
                reads.add(rig.submit(TestIo.read(i, 512)));
            }
            rig.settle();
            stage.outcomes.forEach(outcome -> outcome.success(BlockStatus.OK));
            rig.settle();
            assertThat(log.lines()).isEmpty();
            stage.requests.forEach(request -> request.complete(-Errno.EPERM));
            assertThat(reads).allMatch(read -> read.result() == 512 && read.answers() == 1);
            assertThat(log.lines("stage by-hand gave a second outcome")).hasSizeBetween(1, 10);
        }
    }

    @Test
    void shouldLogThatAnOperatorCompletedARequestOfAStageAndGoOn() {
        List<BlockRequest> pooled = new ArrayList<>();
        ByHand stage = new ByHand();
        try (PipelineRig rig = new PipelineRig(builder -> builder.operator(flux -> flux.doOnNext(pooled::add)).stage(stage));
                CapturedLog log = new CapturedLog()) {
            List<TestIo> reads = rig.submitReads(15);
            rig.settle();
            pooled.forEach(request -> request.complete(7));
            rig.settle();
            stage.outcomes.forEach(outcome -> outcome.success(BlockStatus.OK));
            rig.settle();
            assertThat(reads).allMatch(read -> read.result() == 7 && read.answers() == 1);
            assertThat(log.lines("a request that stage by-hand had was completed by somebody else")).hasSizeBetween(1, 10);
        }
    }

    @Test
    void shouldMakeAResultOfWhatAStageDecides() {
        try (PipelineRig rig = rig(new ByHandStatus("decides", Mono.just(BlockStatus.OK)))) {
            assertThat(rig.result(TestIo.read(0, 1024))).isEqualTo(1024);
            assertThat(rig.result(TestIo.write(0, new byte[512]))).isEqualTo(512);
            assertThat(rig.result(TestIo.discard(0, 4096))).as("moves nothing").isZero();
            assertThat(rig.result(TestIo.writeZeroes(0, 4096))).isZero();
            assertThat(rig.result(TestIo.flush())).isZero();
        }
        for (BlockStatus decided : BlockStatus.values()) {
            try (PipelineRig rig = rig((request, chain) -> chain.proceed(request).map(status -> decided))) {
                for (int errno : new int[] {0, Errno.ENOSPC, Errno.EOPNOTSUPP}) {
                    rig.sink().hold();
                    TestIo read = rig.submit(TestIo.read(0, 512));
                    rig.settle();
                    rig.sink().release(rig.sink().held().getFirst(), errno);
                    rig.settle();
                    int sinks = errno == 0 ? 512 : -errno;
                    int own = decided == BlockStatus.OK ? 512 : decided.toResult();
                    assertThat(read.result()).as(decided + " of " + sinks).isEqualTo(BlockStatus.ofResult(sinks) == decided ? sinks : own);
                }
            }
        }
    }
}
