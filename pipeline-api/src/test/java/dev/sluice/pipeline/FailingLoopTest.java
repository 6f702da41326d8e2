package dev.sluice.pipeline;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.linux.CapturedLog;
import dev.sluice.linux.Errno;
import dev.sluice.pipeline.testing.ManualLoop;
import dev.sluice.pipeline.testing.SimulatedBackend;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import reactor.core.publisher.Mono;

/** Where memory runs out while a request is on its way: it ends once, and not before its sink has released it. */
class FailingLoopTest {
    /** Fails when it is asked, so that the pipeline completes the request inside its own call. */
    private static final class Failing implements BlockStage {
        @Override
        public Mono<BlockResult> handle(BlockRequest request, Chain chain) {
            return chain.proceed(request);
        }

        @Override
        public boolean interestedIn(BlockRequest request) {
            throw new IllegalStateException("on purpose");
        }
    }

    /** A loop some of whose calls fail once, as where memory has run out. */
    private static IoLoop failing(ManualLoop loop, AtomicInteger failures, String method) {
        return (IoLoop) Proxy.newProxyInstance(IoLoop.class.getClassLoader(), new Class<?>[] {IoLoop.class}, (proxy, called, arguments) -> {
            if (called.getName().equals(method) && failures.getAndDecrement() > 0) {
                throw new OutOfMemoryError("on purpose");
            }
            try {
                return called.invoke(loop, arguments);
            } catch (InvocationTargetException failed) {
                throw failed.getCause();
            }
        });
    }

    private static OneRequestQueue served(IoLoop loop, ManualLoop ticks, SimulatedBackend backend, @Nullable BlockStage stage, BlockOp op) {
        OneRequestQueue queue = new OneRequestQueue(loop);
        BlockPipeline.Builder builder = BlockPipeline.builder().backend(backend);
        if (stage != null) {
            builder.stage(stage);
        }
        QueueSource source = new QueueSource(loop, queue);
        builder.build().connect(source);
        queue.submit(op, 3);
        source.kicked();
        ticks.tickUntilIdle();
        return queue;
    }

    @Test
    void shouldFailARequestThatThereIsNoMemoryFor() {
        try (ManualLoop ticks = new ManualLoop(); SimulatedBackend backend = SimulatedBackend.ofSize(1 << 20); CapturedLog log = new CapturedLog()) {
            IoLoop loop = failing(ticks, new AtomicInteger(1), "schedule");
            OneRequestQueue queue = served(loop, ticks, backend, (request, chain) -> chain.proceed(request), BlockOp.FLUSH);
            assertThat(queue.results).containsExactly(Map.entry(3L, -Errno.EIO));
            assertThat(log.lines("queue 0: a request fails on an error of Sluice, or for want of memory")).hasSize(1);
        }
    }

    @Test
    void shouldEndARequestOnceWhenTheQueueFailsBehindItsEnd() {
        try (ManualLoop loop = new ManualLoop(); SimulatedBackend backend = SimulatedBackend.ofSize(1 << 20); CapturedLog log = new CapturedLog()) {
            OneRequestQueue queue = new OneRequestQueue(loop);
            queue.behindAnswer = request -> {
                if (request.sector() == 3) {
                    // Its object has its next life already when the failure comes.
                    queue.submit(BlockOp.FLUSH, 4);
                    assertThat(queue.poll()).isNotNull();
                    throw new IllegalStateException("on purpose");
                }
            };
            QueueSource source = new QueueSource(loop, queue);
            BlockPipeline.builder().backend(backend).stage(new Failing()).build().connect(source);
            queue.submit(BlockOp.FLUSH, 3);
            source.kicked();
            loop.tickUntilIdle();
            assertThat(queue.results).containsExactly(Map.entry(3L, -Errno.EIO));
            assertThat(queue.request.state()).isEqualTo(BlockRequest.State.PARSED);
            assertThat(log.lines("a request fails on an error of Sluice")).hasSize(1);
        }
    }

    @Test
    void shouldLeaveARequestToTheSinkThatHasTakenIt() {
        try (ManualLoop ticks = new ManualLoop(); SimulatedBackend backend = SimulatedBackend.ofSize(1 << 20)) {
            IoLoop loop = failing(ticks, new AtomicInteger(1), "atTickEnd");
            OneRequestQueue queue = served(loop, ticks, backend, null, BlockOp.FLUSH);
            assertThat(queue.results).as("the sink has it").isEmpty();
            backend.sinkOf(loop).flush();
            ticks.tickUntilIdle();
            assertThat(queue.results).containsExactly(Map.entry(3L, 0));
        }
    }
}
