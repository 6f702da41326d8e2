package dev.sluice.pipeline;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.ThreadMXBean;
import dev.sluice.pipeline.testing.ManualLoop;
import dev.sluice.pipeline.testing.SimulatedBackend;
import dev.sluice.pipeline.testing.SimulatedFaults;
import dev.sluice.pipeline.testing.TestQueue;
import dev.sluice.pipeline.testing.TestRequest;
import java.lang.management.ManagementFactory;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import reactor.core.publisher.Mono;

/** The promise of the bypass: a request that no stage wants to see costs no garbage. */
class BypassAllocationTest {
    private static final Logger LOG = LoggerFactory.getLogger(BypassAllocationTest.class);
    private static final int WARM_UP = 400_000;
    private static final int MEASURED = 1_000_000;

    /** Counts down; the only state of an endless guest. */
    private static final class Reads implements TestQueue.Generator {
        private int left;

        @Override
        public boolean next(TestRequest request) {
            if (left == 0) {
                return false;
            }
            left--;
            request.parse(BlockOp.READ, left & 1023, 512);
            return true;
        }
    }

    private static double bytesPerRequest(String what, Consumer<BlockPipeline.Builder> configuration) {
        try (ManualLoop loop = new ManualLoop();
                SimulatedBackend backend = SimulatedBackend.of(1 << 20, 256, SimulatedFaults.NONE);
                TestQueue queue = new TestQueue(loop, 0, 128, 512, 512)) {
            BlockPipeline.Builder builder = BlockPipeline.builder().backend(backend);
            configuration.accept(builder);
            BlockPipeline pipeline = builder.build();
            QueueSource source = queue.feed(new QueueSource(loop, queue));
            pipeline.connect(source);
            Reads reads = new Reads();
            reads.left = WARM_UP;
            queue.generate(reads);
            loop.tickUntilIdle();

            ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
            reads.left = MEASURED;
            source.kicked();
            long before = threads.getCurrentThreadAllocatedBytes();
            loop.tickUntilIdle();
            long allocated = threads.getCurrentThreadAllocatedBytes() - before;
            assertThat(queue.completions()).isEqualTo(WARM_UP + MEASURED);
            double each = (double) allocated / MEASURED;
            LOG.info("{}: {} bytes for {} requests, {} each", what, allocated, MEASURED, each);
            source.stop(() -> {});
            pipeline.close();
            loop.tickUntilIdle();
            return each;
        }
    }

    @Test
    void shouldAllocateNothingPerRequestWithoutStages() {
        assertThat(bytesPerRequest("no stages", builder -> {})).isLessThan(1);
    }

    @Test
    void shouldAllocateNothingPerRequestThatNoStageWantsToSee() {
        BlockStage writesOnly = new BlockStage() {
            @Override
            public Mono<BlockResult> handle(BlockRequest request, Chain chain) {
                return Mono.error(new AssertionError("reads are not for me"));
            }

            @Override
            public boolean interestedIn(BlockRequest request) {
                return request.op() == BlockOp.WRITE;
            }
        };
        assertThat(bytesPerRequest("a stage that is not interested", builder -> builder.stage(writesOnly).stage(writesOnly))).isLessThan(1);
    }

    /** The budget that {@link BlockStage} states. */
    @Test
    void shouldStayWithinTheBudgetOfAStageWithABufferAndASubRequest() {
        assertThat(bytesPerRequest("a stage that passes on", builder -> builder.stage((request, chain) -> chain.proceed(request)))).isLessThan(450);
        assertThat(bytesPerRequest("a sub-request with a buffer",
                builder -> builder.stage((request, chain) -> chain.useBuffer(512, buffer -> chain.proceed(request, buffer))))).isLessThan(650);
    }

    @Test
    void shouldAllocateNothingPerRequestInPlainOperators() {
        assertThat(bytesPerRequest("filter and map",
                builder -> builder.operator(flux -> flux.filter(request -> request.lengthBytes() > 0).map(request -> request))))
                .isLessThan(1);
    }
}
