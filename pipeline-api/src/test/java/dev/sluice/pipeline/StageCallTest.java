package dev.sluice.pipeline;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sluice.linux.Errno;
import dev.sluice.pipeline.testing.SimulatedFaults;
import dev.sluice.pipeline.testing.TestIo;
import dev.sluice.pipeline.testing.TestQueue;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.RejectedExecutionException;
import org.junit.jupiter.api.Test;
import org.reactivestreams.Subscription;
import reactor.core.publisher.Mono;

/** A stage that subscribes to the rest of the chain by hand: each subscription is an attempt. */
class StageCallTest {

    private static PipelineRig rig(BlockStage... stages) {
        return new PipelineRig(builder -> List.of(stages).forEach(builder::stage));
    }

    @Test
    void shouldSubmitOnceForAllDemandOfAnAttempt() {
        ByHandStage stage = new ByHandStage();
        try (PipelineRig rig = rig(stage)) {
            TestIo read = rig.submit(TestIo.read(0, 512));
            rig.settle();
            ByHandStage.Attempt attempt = stage.attempt();
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
            stage.end(rig, BlockResult.OK);
            assertThat(read.result()).isEqualTo(512);
        }
    }

    @Test
    void shouldShowTheStageWhatBecomesOfItsRequest() {
        ByHandStage stage = new ByHandStage();
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
            stage.end(rig, BlockResult.OK);
        }
    }

    /** Reactive Streams §3.12, §2.8: nothing is signalled once a cancellation has been heard of. */
    @Test
    void shouldSignalNothingToACancelledAttempt() {
        ByHandStage stage = new ByHandStage();
        try (PipelineRig rig = rig(stage)) {
            rig.submit(TestIo.read(0, 512));
            rig.settle();
            rig.sink().hold();
            ByHandStage.Attempt cancelled = stage.attempt();
            cancelled.subscription.request(1);
            rig.settle();
            cancelled.subscription.cancel();
            rig.sink().releaseAll();
            rig.settle();
            assertThat(cancelled.signals).isEmpty();
            ByHandStage.Attempt content = new ByHandStage.Attempt() {
                @Override
                public void onNext(BlockResult result) {
                    super.onNext(result);
                    subscription.cancel();
                }
            };
            stage.rests.getFirst().subscribe(content);
            content.subscription.request(1);
            rig.settle();
            assertThat(content.signals).containsExactly("OK");
            ByHandStage.Attempt never = stage.attempt();
            never.subscription.cancel();
            never.subscription.request(1);
            rig.settle();
            assertThat(rig.sink().submissions()).isEqualTo(2);
            stage.end(rig, BlockResult.OK);
        }
    }

    @Test
    void shouldLetTheLatestAttemptFollowACancelledOne() {
        ByHandStage stage = new ByHandStage();
        try (PipelineRig rig = rig(stage)) {
            rig.submit(TestIo.read(0, 512));
            rig.settle();
            rig.sink().hold();
            List<ByHandStage.Attempt> attempts = new ArrayList<>();
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
            stage.end(rig, BlockResult.OK);
        }
    }

    @Test
    void shouldSubmitOnTheLoopWhatIsAskedForOnAnotherThread() throws InterruptedException {
        ByHandStage stage = new ByHandStage();
        try (PipelineRig rig = rig(stage)) {
            rig.submit(TestIo.read(0, 512));
            rig.settle();
            ByHandStage.Attempt attempt = stage.attempt();
            BlockRequestTest.onAnotherThread(() -> attempt.subscription.request(1));
            assertThat(rig.sink().submissions()).isZero();
            rig.settle();
            assertThat(attempt.signals).containsExactly("OK", "complete");
            stage.end(rig, BlockResult.OK);
        }
    }

    @Test
    void shouldTellAStageOfTheSinkBehindTheLimitAndNotBehindItsOwnOutcome() {
        ByHandStage stage = new ByHandStage();
        try (PipelineRig rig = rig(stage)) {
            rig.sink().hold();
            TestIo own = rig.submit(TestIo.read(0, 512));
            rig.settle();
            ByHandStage.Attempt first = stage.attempt();
            first.subscription.request(1);
            stage.requests.getFirst().complete(7);
            TestIo late = rig.submit(TestIo.read(1, 512));
            rig.settle();
            ByHandStage.Attempt second = stage.attempt();
            second.subscription.request(1);
            rig.source.stop(() -> {});
            rig.loop.advanceNanos(BlockPipeline.DEFAULT_DRAIN_LIMIT.toNanos());
            rig.settle();
            rig.sink().releaseAll();
            rig.settle();
            assertThat(own.result()).isEqualTo(7);
            assertThat(first.signals).isEmpty();
            assertThat(late.result()).isEqualTo(-Errno.ECANCELED);
            assertThat(second.signals).as("so that the stage comes to its end").containsExactly("OK", "complete");
            BlockRequest over = stage.requests.getFirst();
            assertThatThrownBy(() -> over.copyDataTo(0, new byte[1], 0, 1)).isInstanceOf(IllegalStateException.class).hasMessageContaining("completed");
        }
    }

    @Test
    void shouldRefuseWhateverElseAStageSendsOn() {
        List<Throwable> refused = new ArrayList<>();
        try (PipelineRig rig = new PipelineRig(builder -> builder
                .stage((request, chain) -> chain.proceed(new BareRequest(request.loop(), 0, 0).parse(BlockOp.FLUSH)).doOnError(refused::add)))) {
            assertThat(rig.result(TestIo.read(0, 512))).isEqualTo(-Errno.EIO);
        }
        assertThat(refused).singleElement().isInstanceOf(IllegalArgumentException.class);
        assertThat(refused.getFirst()).hasMessageContaining("another request than the one it got");
    }

    @Test
    void shouldRefuseAnAttemptBehindTheOutcome() {
        ByHandStage stage = new ByHandStage();
        try (PipelineRig rig = rig(stage)) {
            TestIo read = rig.submit(TestIo.read(0, 512));
            rig.settle();
            stage.end(rig, BlockResult.failed(Errno.EOPNOTSUPP));
            ByHandStage.Attempt late = stage.attempt();
            late.subscription.request(1);
            assertThat(late.signals).singleElement().asString().contains("has its outcome already");
            ByHandStage.Attempt cancelled = new ByHandStage.Attempt() {
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
        ByHandStage stage = new ByHandStage();
        try (PipelineRig rig = rig(stage)) {
            TestIo first = rig.submit(TestIo.read(0, 512));
            rig.settle();
            rig.sink().hold();
            stage.attempt().subscription.request(1);
            ByHandStage.Attempt throwing = new ByHandStage.Attempt() {
                @Override
                public void onError(Throwable failure) {
                    throw new NoClassDefFoundError("on purpose");
                }

                @Override
                public void onNext(BlockResult result) {
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
        ByHandStage stage = new ByHandStage();
        try (PipelineRig rig = rig(stage)) {
            rig.submit(TestIo.read(0, 512));
            rig.settle();
            stage.requests.getFirst().complete(512);
            rig.settle();
        }
        ByHandStage.Attempt late = stage.attempt();
        BlockRequestTest.onAnotherThread(() -> {
            late.subscription.request(1);
            stage.outcomes.getFirst().success(BlockResult.OK);
        });
        assertThat(late.signals).singleElement().asString().startsWith(RejectedExecutionException.class.getSimpleName());
    }

    /** The sink has room as soon as it has completed a request, however long its stage takes from then on. */
    @Test
    void shouldLetTheNextRequestIntoAFullSinkWhileTheStageHasTheOneBefore() {
        ByHandStage stage = new ByHandStage();
        try (PipelineRig rig = new PipelineRig(8, 1, SimulatedFaults.NONE, builder -> builder.stage(stage));
                TestQueue other = new TestQueue(rig.loop, 1, 8)) {
            QueueSource source = other.feed(new QueueSource(rig.loop, other));
            rig.pipeline.connect(source);
            rig.sink().hold();
            rig.submit(TestIo.read(0, 512));
            other.submit(TestIo.read(1, 512));
            rig.settle();
            List<ByHandStage.Attempt> attempts = new ArrayList<>();
            for (Mono<BlockResult> rest : stage.rests) {
                ByHandStage.Attempt attempt = new ByHandStage.Attempt();
                rest.subscribe(attempt);
                attempt.subscription.request(1);
                attempts.add(attempt);
            }
            rig.settle();
            assertThat(rig.sink().held()).extracting(BlockRequest::sector).containsExactly(stage.requests.getFirst().sector());
            rig.sink().releaseAll();
            rig.settle();
            assertThat(attempts).allMatch(attempt -> attempt.signals.equals(List.of("OK", "complete")));
            stage.outcomes.forEach(outcome -> outcome.success(BlockResult.OK));
            rig.settle();
            source.stop(() -> {});
        }
    }
}
