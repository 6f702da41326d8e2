package dev.sluice.pipeline;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.pipeline.testing.ManualLoop;
import dev.sluice.pipeline.testing.PollLoop;
import dev.sluice.pipeline.testing.SimulatedBackend;
import dev.sluice.pipeline.testing.TestIo;
import dev.sluice.pipeline.testing.TestQueue;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import org.junit.jupiter.api.Test;

/** The whole way of a request, the shortest that it can be. */
class FirstRequestTest {

    @Test
    void shouldReadBackWhatWasWrittenOnALoopDrivenByHand() {
        try (ManualLoop loop = new ManualLoop();
                SimulatedBackend backend = SimulatedBackend.ofSize(1 << 20);
                BlockPipeline pipeline = BlockPipeline.builder().backend(backend).build();
                TestQueue queue = new TestQueue(loop, 0, 8)) {
            pipeline.connect(queue.feed(new QueueSource(loop, queue)));
            byte[] bytes = new byte[17 * 512];
            Arrays.fill(bytes, (byte) 42);
            TestIo write = queue.submit(TestIo.write(8, bytes));
            loop.tickUntilIdle();
            TestIo read = queue.submit(TestIo.read(8, bytes.length));
            loop.tickUntilIdle();
            assertThat(write.result()).isEqualTo(bytes.length);
            assertThat(read.result()).isEqualTo(bytes.length);
            assertThat(read.data()).isEqualTo(bytes);
            assertThat(backend.durable().mismatch(MemorySegment.ofArray(new byte[1 << 20]))).as("no flush yet").isEqualTo(-1);
            queue.submit(TestIo.flush());
            loop.tickUntilIdle();
            assertThat(backend.durable().mismatch(backend.visible())).isEqualTo(-1);
        }
    }

    @Test
    void shouldReadBackWhatWasWrittenOnALoopWithAThread() {
        try (SimulatedBackend backend = SimulatedBackend.ofSize(1 << 20);
                PollLoop loop = PollLoop.start("first-request-test");
                BlockPipeline pipeline = BlockPipeline.builder().backend(backend).build();
                TestQueue queue = new TestQueue(loop, 0, 8)) {
            loop.run(() -> pipeline.connect(queue.feed(new QueueSource(loop, queue))));
            byte[] bytes = new byte[4096];
            Arrays.fill(bytes, (byte) 42);
            assertThat(queue.submit(TestIo.write(8, bytes)).await()).isEqualTo(4096);
            TestIo read = queue.submit(TestIo.read(8, 4096));
            assertThat(read.await()).isEqualTo(4096);
            assertThat(read.data()).isEqualTo(bytes);
        }
    }
}
