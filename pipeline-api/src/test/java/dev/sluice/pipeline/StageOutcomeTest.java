package dev.sluice.pipeline;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.linux.CapturedLog;
import dev.sluice.linux.Errno;
import dev.sluice.pipeline.testing.TestIo;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import reactor.core.publisher.Mono;

/** What a request's result is where stages have a say in it, and what is logged of stages that break their contract. */
class StageOutcomeTest {
    private static PipelineRig rig(BlockStage... stages) {
        return new PipelineRig(builder -> List.of(stages).forEach(builder::stage));
    }

    @Test
    void shouldNameTheStageThatFailedAndHowInTheLog() {
        BlockStage through = (request, chain) -> chain.proceed(request);
        assertThat(logged(through, new Decides("empty", Mono.empty()))).contains("disk simulated, queue 0: stage empty gave no outcome for READ sector 3");
        assertThat(logged(through, new Decides("broken", Mono.error(new IllegalStateException("made up")))))
                .contains("disk simulated, queue 0: stage broken failed on READ sector 3").contains("made up");
        assertThat(logged(through, new Decides("fine", Mono.just(BlockResult.OK)))).doesNotContain("ERROR");
        assertThat(logged(through, new Decides("fails", Mono.just(BlockResult.failed(Errno.EIO))))).doesNotContain("ERROR")
                .contains("EIO (input/output error)");
    }

    private record Decides(String name, Mono<BlockResult> outcome) implements BlockStage {
        @Override
        public Mono<BlockResult> handle(BlockRequest request, Chain chain) {
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
        ByHandStage stage = new ByHandStage();
        try (PipelineRig rig = rig(stage); CapturedLog log = new CapturedLog()) {
            List<TestIo> reads = new ArrayList<>();
            for (int i = 0; i < 15; i++) {
                reads.add(rig.submit(TestIo.read(i, 512)));
            }
            rig.settle();
            stage.outcomes.forEach(outcome -> outcome.success(BlockResult.OK));
            rig.settle();
            assertThat(log.lines()).isEmpty();
            stage.requests.forEach(request -> request.complete(-Errno.EPERM));
            assertThat(reads).allMatch(read -> read.result() == 512 && read.completions() == 1);
            assertThat(log.lines("stage by-hand gave a second outcome")).hasSizeBetween(1, 10);
        }
    }

    @Test
    void shouldLogThatAnOperatorCompletedARequestOfAStageAndGoOn() {
        List<BlockRequest> pooled = new ArrayList<>();
        ByHandStage stage = new ByHandStage();
        try (PipelineRig rig = new PipelineRig(builder -> builder.operator(flux -> flux.doOnNext(pooled::add)).stage(stage));
                CapturedLog log = new CapturedLog()) {
            List<TestIo> reads = rig.submitReads(15);
            rig.settle();
            pooled.forEach(request -> request.complete(7));
            rig.settle();
            stage.outcomes.forEach(outcome -> outcome.success(BlockResult.OK));
            rig.settle();
            assertThat(reads).allMatch(read -> read.result() == 7 && read.completions() == 1);
            assertThat(log.lines("a request that stage by-hand had was completed by somebody else")).hasSizeBetween(1, 10);
        }
    }

    @Test
    void shouldMakeAResultOfWhatAStageDecides() {
        try (PipelineRig rig = rig(new Decides("decides", Mono.just(BlockResult.OK)))) {
            assertThat(rig.result(TestIo.read(0, 1024))).isEqualTo(1024);
            assertThat(rig.result(TestIo.write(0, new byte[512]))).isEqualTo(512);
            assertThat(rig.result(TestIo.discard(0, 4096))).as("moves nothing").isZero();
            assertThat(rig.result(TestIo.writeZeroes(0, 4096))).isZero();
            assertThat(rig.result(TestIo.flush())).isZero();
            assertThat(rig.seen).extracting(PipelineRig.Seen::flags).as("they did not bypass").containsOnly(0);
            TestIo read = rig.submit(TestIo.read(0, 512));
            rig.loop.tick();
            assertThat(read.result()).as("decided on the loop, completed in the same tick").isEqualTo(512);
        }
        for (BlockResult decided : List.of(BlockResult.OK, BlockResult.failed(Errno.ENOSPC), BlockResult.failed(Errno.EILSEQ),
                BlockResult.failed(Errno.EOPNOTSUPP))) {
            try (PipelineRig rig = rig((request, chain) -> chain.proceed(request).map(below -> decided))) {
                for (int errno : new int[] {0, Errno.ENOSPC, Errno.EOPNOTSUPP}) {
                    rig.sink().hold();
                    TestIo read = rig.submit(TestIo.read(0, 512));
                    rig.settle();
                    rig.sink().release(rig.sink().held().getFirst(), errno);
                    rig.settle();
                    int sinks = errno == 0 ? 512 : -errno;
                    assertThat(read.result()).as(decided + " of " + sinks).isEqualTo(decided.isOk() ? 512 : -decided.errno());
                }
            }
        }
    }
}
