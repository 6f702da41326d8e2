package dev.sluice.pipeline;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.pipeline.testing.ManualLoop;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;
import reactor.core.publisher.Mono;

/** Which stage sees which operation. */
class StageChainTest {
    /** Sees some operations, and of those the requests that it is interested in. */
    private record Named(String name, Set<BlockOp> operations, boolean interested) implements BlockStage {
        @Override
        public Mono<BlockResult> handle(BlockRequest request, Chain chain) {
            return chain.proceed(request);
        }

        @Override
        public boolean interestedIn(BlockRequest request) {
            return interested;
        }
    }

    private static BlockStage stage(String name, BlockOp first, BlockOp... rest) {
        return new Named(name, EnumSet.of(first, rest), true);
    }

    private static StageChain chain(List<BlockStage> stages) {
        StageChain chain = new StageChain(stages.size());
        for (int i = stages.size() - 1; i >= 0; i--) {
            chain.put(i, stages.get(i));
        }
        return chain;
    }

    @Test
    void shouldFindTheFirstStageThatNamesTheOperationAndIsInterested() {
        try (ManualLoop loop = new ManualLoop()) {
            List<BlockStage> stages = List.of(
                    stage("flushes", BlockOp.FLUSH), new Named("none", EnumSet.allOf(BlockOp.class), false), stage("data", BlockOp.READ, BlockOp.WRITE));
            StageChain chain = chain(stages);
            int[] never = {-1, -1, -1, -1};
            int[] data = {2, 2, 2, -1};
            int[] flush = {0, -1, -1, -1};
            Map<BlockOp, int[]> expected = Map.of(BlockOp.READ, data, BlockOp.WRITE, data, BlockOp.FLUSH, flush);
            for (BlockOp op : BlockOp.values()) {
                BlockRequest request = new BareRequest(loop, 0, 0).parse(op);
                for (int from = 0; from <= stages.size(); from++) {
                    assertThat(chain.firstInterested(request, from)).as(op + " from " + from).isEqualTo(expected.getOrDefault(op, never)[from]);
                }
            }
        }
    }

    @Test
    void shouldDescribeItself() {
        assertThat(chain(List.of())).hasToString("no stages");
        assertThat(chain(List.of()).describeBypass()).isEqualTo("every request bypasses: there are no stages");
        StageChain chain = chain(List.of(stage("luks", BlockOp.READ, BlockOp.WRITE), stage("mirror", BlockOp.WRITE, BlockOp.FLUSH)));
        assertThat(chain).hasToString("luks -> mirror");
        assertThat(chain.describeBypass()).isEqualTo("DISCARD, WRITE_ZEROES bypass: no stage sees them; READ bypass where luks is not interested;"
                + " WRITE bypass where luks, mirror are not interested; FLUSH bypass where mirror is not interested");
        StageChain all = chain(List.of(new Named("all", EnumSet.allOf(BlockOp.class), true)));
        assertThat(all.describeBypass())
                .isEqualTo("READ, WRITE, FLUSH, DISCARD, WRITE_ZEROES bypass where all is not interested");
    }
}
