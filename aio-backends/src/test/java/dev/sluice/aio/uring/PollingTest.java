package dev.sluice.aio.uring;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.aio.nullbackend.NullBackend;
import dev.sluice.pipeline.BlockPipeline;
import dev.sluice.pipeline.QueueSource;
import dev.sluice.pipeline.testing.Patience;
import dev.sluice.pipeline.testing.TestIo;
import dev.sluice.pipeline.testing.TestQueue;
import java.io.IOException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** A loop that spins, with a queue on it: what is seen without a kick, and what is not missed for want of one. */
class PollingTest {
    private static final int PATIENCE_SECONDS = Patience.seconds(30);
    private static final long MAX_NANOS = 1_000_000_000L;

    private final NullBackend backend = new NullBackend(1 << 20, false, false, 64);
    private final BlockPipeline pipeline = BlockPipeline.builder().backend(backend).build();
    private final IoUringLoop loop = startLoop();
    private final TestQueue queue = new TestQueue(loop, 0, 16);
    private final QueueSource source = queue.feed(new QueueSource(loop, queue));

    private static IoUringLoop startLoop() {
        try {
            return IoUringLoop.start("spinning", IoUringLoopOptions.DEFAULT.withDaemon(true).withPollMaxNanos(MAX_NANOS));
        } catch (IOException refused) {
            throw new AssertionError(refused);
        }
    }

    private static void await(CompletableFuture<?> future) {
        future.orTimeout(PATIENCE_SECONDS, TimeUnit.SECONDS).join();
    }

    private static void await(BooleanSupplier condition) {
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(PATIENCE_SECONDS);
        while (!condition.getAsBoolean()) {
            assertThat(System.nanoTime() - deadline).as("it did not happen").isNegative();
            Thread.onSpinWait();
        }
    }

    @BeforeEach
    void connect() {
        await(CompletableFuture.runAsync(() -> pipeline.connect(source), loop));
    }

    @AfterEach
    void close() {
        CompletableFuture<Boolean> drained = new CompletableFuture<>();
        loop.execute(() -> source.stop(() -> drained.complete(true)));
        await(drained);
        pipeline.close();
        loop.close();
        queue.close();
    }

    /** It takes some thousand waits to find out that spinning is of use, how many depends on who else uses the processors; so only the last hundred count. */
    @Test
    void shouldSeeRequestsWithoutKicksOnceItSpins() {
        await(() -> kicksForAHundredRequests() <= 20);
        assertThat(queue.completions()).isEqualTo(queue.polls()).isGreaterThan(queue.kicks());
    }

    private long kicksForAHundredRequests() {
        long before = queue.kicks();
        for (int i = 0; i < 100; i++) {
            TestIo io = queue.submit(TestIo.read(0, 512));
            await(io::completed);
        }
        return queue.kicks() - before;
    }

    @Test
    @Timeout(30)
    void shouldSleepWhenNothingComesAndBeWokenByAKick() {
        // One that comes while the loop looks a last time before it sleeps needs no kick.
        while (queue.kicks() < 3) {
            await(queue::kicksEnabled);
            TestIo io = queue.submit(TestIo.read(0, 512));
            await(io::completed);
            assertThat(io.result()).isEqualTo(512);
        }
    }

    @Test
    void shouldRunTasksWhileItSpins() {
        TestIo io = queue.submit(TestIo.read(0, 512));
        await(io::completed);
        for (int i = 0; i < 100; i++) {
            await(CompletableFuture.runAsync(() -> {}, loop));
        }
    }

    @Test
    void shouldForgetAQueueThatStops() {
        CompletableFuture<Boolean> drained = new CompletableFuture<>();
        loop.execute(() -> source.stop(() -> drained.complete(true)));
        await(drained);
        long polls = queue.polls();
        queue.submit(TestIo.read(0, 512));
        for (int i = 0; i < 100; i++) {
            await(CompletableFuture.runAsync(() -> {}, loop));
        }
        assertThat(queue.polls()).isEqualTo(polls);
    }
}
