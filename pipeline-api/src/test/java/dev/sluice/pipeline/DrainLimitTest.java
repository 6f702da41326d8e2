package dev.sluice.pipeline;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sluice.linux.CapturedLog;
import dev.sluice.linux.Errno;
import dev.sluice.pipeline.testing.TestIo;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.Test;
import reactor.core.publisher.Mono;
import reactor.core.publisher.MonoSink;
import reactor.core.scheduler.Scheduler;
import reactor.core.scheduler.Schedulers;

/** A queue that is stopped while stages, operators or the backend have requests of it. */
class DrainLimitTest {
    private static final long SECOND = 1_000_000_000L;
    private static final int LIMIT_SECONDS = 30;

    /** Keeps every request until the test signals. */
    private static final class Keeps implements BlockStage {
        final List<BlockRequest> requests = new ArrayList<>();
        final List<MonoSink<BlockResult>> signals = new ArrayList<>();

        @Override
        public Mono<BlockResult> handle(BlockRequest request, Chain chain) {
            requests.add(request);
            return Mono.create(signals::add);
        }
    }

    private static byte firstByte(BlockRequest request) {
        byte[] first = new byte[1];
        request.copyDataTo(0, first, 0, 1);
        return first[0];
    }

    private static PipelineRig rig(BlockStage stage) {
        return new PipelineRig(builder -> builder.stage(stage).drainLimit(Duration.ofSeconds(LIMIT_SECONDS)));
    }

    private static AtomicBoolean stop(PipelineRig rig) {
        AtomicBoolean stopped = new AtomicBoolean();
        rig.source.stop(() -> stopped.set(true));
        rig.settle();
        return stopped;
    }

    private static AtomicBoolean released(PipelineRig rig) {
        AtomicBoolean released = new AtomicBoolean();
        rig.source.whenReleased(() -> released.set(true));
        rig.settle();
        return released;
    }

    private static void pass(PipelineRig rig, long nanos) {
        rig.loop.advanceNanos(nanos);
        rig.settle();
    }

    @Test
    void shouldFailWhatAStageHoldsWhenTheLimitHasPassedAndKeepItsMemoryUntilTheStageSignals() {
        Keeps keeps = new Keeps();
        try (PipelineRig rig = rig(keeps)) {
            TestIo read = rig.submit(TestIo.read(0, 512));
            TestIo flush = rig.submit(TestIo.flush());
            rig.settle();
            AtomicBoolean stopped = stop(rig);
            pass(rig, LIMIT_SECONDS * SECOND - 1);
            assertThat(read.completed()).isFalse();
            assertThat(stopped).isFalse();
            assertThat(firstByte(keeps.requests.getFirst())).isEqualTo((byte) 0xA5);
            pass(rig, 1);
            assertThat(read.result()).isEqualTo(-Errno.ECANCELED);
            assertThat(flush.result()).isEqualTo(-Errno.ECANCELED);
            assertThat(stopped).isTrue();
            assertThat(rig.pipeline.failedAtDrainLimit()).isEqualTo(2);
            assertThatThrownBy(() -> firstByte(keeps.requests.getFirst())).isInstanceOf(IllegalStateException.class);
            assertThatThrownBy(() -> keeps.requests.getFirst().copyDataFrom(0, new byte[1], 0, 1)).isInstanceOf(IllegalStateException.class);

            AtomicBoolean released = released(rig);
            assertThat(released).as("two stages have it").isFalse();
            keeps.signals.getFirst().success(BlockResult.OK);
            rig.settle();
            assertThat(released).as("one stage has it").isFalse();
            keeps.signals.getLast().error(new IllegalStateException("late, and on purpose"));
            rig.settle();
            assertThat(released).isTrue();
            assertThat(read.completions()).isEqualTo(1);
        }
    }

    @Test
    void shouldReleaseTheMemoryWhenTheStageCompletesTheFailedRequestItself() {
        Keeps keeps = new Keeps();
        try (PipelineRig rig = rig(keeps)) {
            TestIo read = rig.submit(TestIo.read(0, 512));
            rig.settle();
            stop(rig);
            pass(rig, LIMIT_SECONDS * SECOND);
            AtomicBoolean released = released(rig);
            assertThat(released).isFalse();
            keeps.requests.getFirst().complete(512);
            rig.settle();
            assertThat(released).isTrue();
            assertThat(read.result()).isEqualTo(-Errno.ECANCELED);
        }
    }

    @Test
    void shouldReleaseAtOnceAndRefuseCopiesOfWhatStagesHaveSeenWhenNothingWasHeld() {
        Keeps keeps = new Keeps();
        try (PipelineRig rig = rig(keeps)) {
            rig.submit(TestIo.read(0, 512));
            rig.settle();
            keeps.signals.getFirst().success(BlockResult.OK);
            rig.settle();
            assertThat(stop(rig)).isTrue();
            assertThat(released(rig)).isTrue();
            assertThatThrownBy(() -> firstByte(keeps.requests.getFirst())).as("kept beyond its queue").isInstanceOf(IllegalStateException.class);
            assertThat(rig.pipeline.failedAtDrainLimit()).isZero();
        }
    }

    @Test
    void shouldWaitForTheBackendHoweverLongItTakes() {
        List<BlockResult> seen = new ArrayList<>();
        try (PipelineRig rig = rig((request, chain) -> request.sector() == 0 ? chain.proceed(request).doOnNext(seen::add) : Mono.never())) {
            rig.sink().hold();
            TestIo inBackend = rig.submit(TestIo.write(0, new byte[512]));
            TestIo inStage = rig.submit(TestIo.write(1, new byte[512]));
            rig.settle();
            AtomicBoolean stopped = stop(rig);
            pass(rig, LIMIT_SECONDS * SECOND);
            assertThat(inStage.result()).isEqualTo(-Errno.ECANCELED);
            pass(rig, 1000 * SECOND);
            assertThat(inBackend.completed()).as("its memory is the kernel's").isFalse();
            assertThat(stopped).isFalse();
            rig.sink().releaseAll();
            rig.settle();
            assertThat(inBackend.result()).as("its stage has no time left").isEqualTo(-Errno.ECANCELED);
            assertThat(stopped).isTrue();
            assertThat(seen).as("so that the stage ends").containsExactly(BlockResult.OK);
            assertThat(rig.pipeline.failedAtDrainLimit()).as("below a stage too").isEqualTo(2);
        }
    }

    @Test
    void shouldListWhatFailsBelowAStageAndNotWhatHasItsOutcome() {
        try (PipelineRig rig = new PipelineRig(builder -> builder.diskName("vm1").drainLimit(Duration.ofSeconds(LIMIT_SECONDS)).stage((request, chain) -> {
            Mono<BlockResult> rest = chain.proceed(request);
            return request.sector() == 0 ? rest : Mono.firstWithSignal(rest, Mono.just(BlockResult.failed(Errno.EIO)));
        }));
                CapturedLog log = new CapturedLog()) {
            rig.sink().hold();
            TestIo waits = rig.submit(TestIo.write(0, new byte[512]));
            TestIo givenUp = rig.submit(TestIo.write(1, new byte[512]));
            rig.settle();
            stop(rig);
            pass(rig, LIMIT_SECONDS * SECOND);
            assertThat(log.text())
                    .contains("disk vm1, queue 0: WRITE of 512 bytes at sector 0 failed: ECANCELED (operation canceled): the backend, below stage ");
            assertThat(log.text()).doesNotContain("at sector 1 failed: ECANCELED");
            assertThat(rig.pipeline.failedAtDrainLimit()).isEqualTo(1);
            rig.sink().releaseAll();
            rig.settle();
            assertThat(waits.result()).isEqualTo(-Errno.ECANCELED);
            assertThat(givenUp.result()).isEqualTo(-Errno.EIO);
        }
    }

    @Test
    void shouldRefuseWhatAStageSendsDownAfterTheLimit() {
        List<Throwable> refused = new ArrayList<>();
        Keeps keeps = new Keeps();
        try (PipelineRig rig = rig((request, chain) -> keeps.handle(request, chain).then(chain.proceed(request)).doOnError(refused::add))) {
            rig.submit(TestIo.write(0, new byte[512]));
            rig.settle();
            stop(rig);
            pass(rig, LIMIT_SECONDS * SECOND);
            AtomicBoolean released = released(rig);
            keeps.signals.getFirst().success(BlockResult.OK);
            rig.settle();
            assertThat(refused).singleElement().isInstanceOf(IllegalStateException.class);
            assertThat(rig.sink().submissions()).isZero();
            assertThat(released).isTrue();
        }
    }

    @Test
    void shouldCutTheLimitShort() {
        Keeps keeps = new Keeps();
        try (PipelineRig rig = rig(keeps)) {
            TestIo first = rig.submit(TestIo.read(0, 512));
            rig.settle();
            rig.pipeline.cutDrainShort();
            rig.settle();
            assertThat(first.completed()).as("nobody stops the queue").isFalse();
            AtomicBoolean stopped = stop(rig);
            rig.settle();
            assertThat(first.result()).isEqualTo(-Errno.ECANCELED);
            assertThat(stopped).isTrue();
        }
        try (PipelineRig rig = rig(new Keeps())) {
            TestIo read = rig.submit(TestIo.read(0, 512));
            rig.settle();
            AtomicBoolean stopped = stop(rig);
            assertThat(stopped).isFalse();
            rig.pipeline.cutDrainShort();
            rig.settle();
            assertThat(read.result()).isEqualTo(-Errno.ECANCELED);
            assertThat(stopped).isTrue();
        }
    }

    @Test
    void shouldFailWhatAnOperatorHoldsAndNeverReleaseItsMemory() {
        try (PipelineRig rig = new PipelineRig(builder -> builder.operator(flux -> flux.delayUntil(request -> Mono.never())))) {
            TestIo read = rig.submit(TestIo.read(0, 512));
            rig.settle();
            AtomicBoolean stopped = stop(rig);
            assertThat(stopped).isFalse();
            pass(rig, LIMIT_SECONDS * SECOND);
            assertThat(read.result()).isEqualTo(-Errno.ECANCELED);
            assertThat(stopped).isTrue();
            assertThat(released(rig)).as("nobody knows when the operator has finished with it").isFalse();
            assertThat(rig.pipeline.failedAtDrainLimit()).isEqualTo(1);
        }
    }

    @Test
    void shouldFailARequestThatNothingRefersToAnyMore() {
        Scheduler elsewhere = Schedulers.newSingle("drain-limit-test", true);
        // A source on another thread: Reactor throws the error at the thread, and drops the signal.
        BlockStage loses = (request, chain) -> Mono.<BlockResult>fromCallable(() -> {
            throw new NoClassDefFoundError("on/purpose");
        }).subscribeOn(elsewhere);
        try (PipelineRig rig = rig(loses)) {
            TestIo read = rig.submit(TestIo.read(0, 512));
            rig.settle();
            rig.settleUntil(() -> {
                System.gc();
                rig.loop.advanceNanos(SECOND);
                rig.loop.tickUntilIdle();
                return read.completed();
            });
            assertThat(read.result()).isEqualTo(-Errno.EIO);
        } finally {
            elsewhere.dispose();
        }
    }

    @Test
    void shouldKeepARequestThatAStageCanStillCompleteWhateverTheGarbageCollectorFinds() {
        List<BlockRequest> kept = new ArrayList<>();
        try (PipelineRig rig = rig((request, chain) -> {
            kept.add(request);
            return Mono.never();
        })) {
            TestIo read = rig.submit(TestIo.read(0, 512));
            rig.settle();
            for (int i = 0; i < 3; i++) {
                System.gc();
                pass(rig, 2 * SECOND);
            }
            assertThat(read.completed()).isFalse();
            kept.getFirst().complete(512);
            rig.settle();
            assertThat(read.result()).isEqualTo(512);
        }
    }

    @Test
    void shouldRefuseALimitOutOfRange() {
        assertThatThrownBy(() -> BlockPipeline.builder().drainLimit(Duration.ofSeconds(-1))).hasMessageContaining("PT-1S");
        assertThatThrownBy(() -> BlockPipeline.builder().drainLimit(Duration.ofDays(2))).hasMessageContaining("PT48H");
    }
}
