package dev.sluice.pipeline;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.linux.CapturedLog;
import dev.sluice.linux.Errno;
import dev.sluice.pipeline.testing.ManualLoop;
import dev.sluice.pipeline.testing.SimulatedBackend;
import java.util.Map;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import reactor.core.publisher.Mono;

/** A front end that has truncated its memory fails the requests whose data is copied, whoever copies it, and nothing else. */
class TruncatedMemoryTest {
    private static final long GONE = 7;

    private static void touch(BlockRequest request) {
        request.copyDataTo(0, new byte[0], 0, 0);
    }

    private static void configure(BlockPipeline.Builder builder, String who) {
        switch (who) {
            case "stage" -> builder.stage((request, chain) -> {
                touch(request);
                return chain.proceed(request);
            });
            case "Mono" -> builder.stage((request, chain) -> chain.proceed(request).doOnNext(status -> touch(request)));
            case "interest" -> builder.stage(new Curious());
            case "operator" -> builder.operator(flux -> flux.doOnNext(TruncatedMemoryTest::touch));
            default -> {}
        }
    }

    private static final class Curious implements BlockStage {
        @Override
        public Mono<BlockResult> handle(BlockRequest request, Chain chain) {
            return chain.proceed(request);
        }

        @Override
        public boolean interestedIn(BlockRequest request) {
            touch(request);
            return true;
        }
    }

    @ParameterizedTest
    @CsvSource({"stage, READ", "Mono, READ", "interest, READ", "operator, READ"})
    void shouldFailTheRequestWithEfaultAndNoOther(String who, BlockOp op) {
        try (ManualLoop loop = new ManualLoop();
                SimulatedBackend backend = SimulatedBackend.ofSize(1 << 20);
                CapturedLog log = new CapturedLog()) {
            OneRequestQueue queue = new OneRequestQueue(loop);
            queue.fault = request -> {
                if (request.sector() == GONE) {
                    throw new InternalError("simulated");
                }
            };
            BlockPipeline.Builder builder = BlockPipeline.builder().backend(backend);
            configure(builder, who);
            QueueSource source = new QueueSource(loop, queue);
            BlockPipeline pipeline = builder.build();
            pipeline.connect(source);
            for (long sector = GONE - 1; sector <= GONE + 1; sector++) {
                queue.submit(op, sector);
                source.kicked();
                loop.tickUntilIdle();
            }
            assertThat(queue.results).as(who).containsExactly(Map.entry(GONE - 1, 0), Map.entry(GONE, -Errno.EFAULT), Map.entry(GONE + 1, 0));
            assertThat(log.lines("ERROR")).as("it is nobody's fault here").isEmpty();
            assertThat(log.lines("EFAULT")).as("the queue logs what reached it").hasSize(who.equals("operator") ? 0 : 1);
            source.stop(pipeline::close);
            loop.tickUntilIdle();
        }
    }
}
