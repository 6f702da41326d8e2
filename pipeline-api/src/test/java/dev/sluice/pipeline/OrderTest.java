package dev.sluice.pipeline;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.pipeline.testing.TestIo;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;
import reactor.core.publisher.Mono;
import reactor.core.publisher.Sinks;

/** What may overtake what, where some requests go through stages and others do not; what a FLUSH covers. */
class OrderTest {
    private static final byte[] ONES = ones();

    private static byte[] ones() {
        byte[] bytes = new byte[512];
        java.util.Arrays.fill(bytes, (byte) 1);
        return bytes;
    }

    private static byte durableByte(PipelineRig rig, long sector) {
        return rig.backend.durable().get(ValueLayout.JAVA_BYTE, sector * 512);
    }

    /** Sees some operations and keeps what it sees until it is let go. */
    private static final class Keeps implements BlockStage {
        private final Set<BlockOp> operations;
        private final List<Sinks.One<Boolean>> kept = new ArrayList<>();

        Keeps(BlockOp first, BlockOp... rest) {
            operations = EnumSet.of(first, rest);
        }

        @Override
        public Set<BlockOp> operations() {
            return operations;
        }

        @Override
        public Mono<BlockResult> handle(BlockRequest request, Chain chain) {
            Sinks.One<Boolean> gate = Sinks.one();
            kept.add(gate);
            return gate.asMono().then(chain.proceed(request));
        }

        void letGo() {
            List<Sinks.One<Boolean>> all = List.copyOf(kept);
            kept.clear();
            all.forEach(gate -> gate.tryEmitValue(true));
        }
    }

    /** Answers writes before they are written, and therefore sees every FLUSH until it has caught up. */
    private static final class WritesBehind implements BlockStage {
        private final List<Sinks.One<Boolean>> behind = new ArrayList<>();
        private final List<Mono<Boolean>> unwritten = new ArrayList<>();

        @Override
        public boolean interestedIn(BlockRequest request) {
            return request.op() == BlockOp.WRITE || (request.op() == BlockOp.FLUSH && !unwritten.isEmpty());
        }

        @Override
        public Mono<BlockResult> handle(BlockRequest request, Chain chain) {
            if (request.op() == BlockOp.WRITE) {
                Sinks.One<Boolean> done = Sinks.one();
                behind.add(done);
                unwritten.add(done.asMono());
                return Mono.just(BlockResult.OK);
            }
            return Mono.when(List.copyOf(unwritten)).doOnSuccess(all -> unwritten.clear()).then(chain.proceed(request));
        }
    }

    @Test
    void shouldLetABypassedRequestOvertakeAStagedOne() {
        Keeps keeps = new Keeps(BlockOp.WRITE);
        try (PipelineRig rig = new PipelineRig(builder -> builder.stage(keeps))) {
            TestIo write = rig.submit(TestIo.write(0, ONES));
            TestIo read = rig.submit(TestIo.read(0, 512));
            rig.settle();
            assertThat(read.result()).as("a read in flight beside a write has no order with it").isEqualTo(512);
            assertThat(write.completed()).isFalse();
            keeps.letGo();
            rig.settle();
            assertThat(write.result()).isEqualTo(512);
        }
    }

    @Test
    void shouldCoverStagedWritesThatWereToldByABypassedFlush() {
        Keeps keeps = new Keeps(BlockOp.WRITE);
        try (PipelineRig rig = new PipelineRig(builder -> builder.stage(keeps))) {
            TestIo told = rig.submit(TestIo.write(0, ONES));
            rig.settle();
            keeps.letGo();
            rig.settle();
            assertThat(told.result()).isEqualTo(512);
            TestIo untold = rig.submit(TestIo.write(1, ONES));
            rig.settle();
            assertThat(rig.result(TestIo.flush())).isZero();
            assertThat(untold.completed()).isFalse();
            assertThat(durableByte(rig, 0)).as("told before the FLUSH").isEqualTo((byte) 1);
            assertThat(durableByte(rig, 1)).as("in flight beside the FLUSH").isZero();
            keeps.letGo();
            rig.settle();
        }
    }

    @Test
    void shouldCoverBypassedWritesThatWereToldByAStagedFlush() {
        Keeps keeps = new Keeps(BlockOp.FLUSH);
        try (PipelineRig rig = new PipelineRig(builder -> builder.stage(keeps))) {
            assertThat(rig.result(TestIo.write(0, ONES))).isEqualTo(512);
            TestIo flush = rig.submit(TestIo.flush());
            rig.settle();
            assertThat(rig.result(TestIo.write(1, ONES))).isEqualTo(512);
            assertThat(flush.completed()).isFalse();
            keeps.letGo();
            rig.settle();
            assertThat(flush.result()).isZero();
            assertThat(durableByte(rig, 0)).isEqualTo((byte) 1);
        }
    }

    @Test
    void shouldKeepAFlushBehindTheWritesOfAStageThatAnswersEarly() {
        WritesBehind stage = new WritesBehind();
        try (PipelineRig rig = new PipelineRig(builder -> builder.stage(stage))) {
            assertThat(rig.result(TestIo.write(0, ONES))).as("answered before it is written").isEqualTo(512);
            TestIo flush = rig.submit(TestIo.flush());
            rig.settle();
            assertThat(flush.completed()).as("waits for what the stage is behind with").isFalse();
            stage.behind.forEach(done -> done.tryEmitValue(true));
            rig.settle();
            assertThat(flush.result()).isZero();
            assertThat(rig.result(TestIo.flush())).isZero();
            assertThat(rig.seen.getLast().flags()).as("nothing is behind any more").isEqualTo(PipelineObserver.BYPASSED);
        }
    }

    @Test
    void shouldNeverAskAStageAboutOperationsThatItDoesNotName() {
        Keeps keeps = new Keeps(BlockOp.DISCARD);
        try (PipelineRig rig = new PipelineRig(builder -> builder.stage(keeps))) {
            assertThat(rig.result(TestIo.read(0, 512))).isEqualTo(512);
            assertThat(rig.seen.getLast().flags()).isEqualTo(PipelineObserver.BYPASSED);
        }
    }

    @Test
    void shouldSayWhichOperationsBypassAndWhy() {
        try (PipelineRig bare = new PipelineRig(builder -> {});
                PipelineRig staged = new PipelineRig(builder -> builder.stage(new Keeps(BlockOp.WRITE, BlockOp.FLUSH)))) {
            assertThat(bare.pipeline.toString()).contains("every request bypasses: there are no stages");
            assertThat(staged.pipeline.toString())
                    .contains("READ, DISCARD, WRITE_ZEROES bypass: no stage sees them")
                    .contains("WRITE, FLUSH bypass where Keeps is not interested");
        }
    }
}
