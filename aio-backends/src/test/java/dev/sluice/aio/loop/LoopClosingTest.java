package dev.sluice.aio.loop;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.linux.CapturedLog;
import dev.sluice.pipeline.testing.Patience;
import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Who waits for the end of a loop, and for how long: threads that close it while its own still has something to do. */
@Timeout(60)
class LoopClosingTest {
    private static final long LIMIT_NANOS = TimeUnit.SECONDS.toNanos(10);

    private final CountDownLatch loopMayEnd = new CountDownLatch(1);
    private final Thread loopThread = Thread.ofPlatform().daemon().name("loop-of-closing-test").start(this::awaitEnd);
    private final LoopHandles handles = new LoopHandles();
    private long now = Long.MAX_VALUE - 5;
    private final LoopClosing closing = new LoopClosing("test", loopThread, () -> now);

    @AfterEach
    void endThread() throws InterruptedException {
        loopMayEnd.countDown();
        loopThread.join();
    }

    private void awaitEnd() {
        try {
            loopMayEnd.await();
        } catch (InterruptedException stopped) {
            Thread.currentThread().interrupt();
        }
    }

    /** A thread that has begun to wait for the end. */
    private Thread closer() throws InterruptedException {
        Thread closer = Thread.ofPlatform().daemon().start(closing::await);
        awaitSleep(closer);
        return closer;
    }

    /** Until it waits, without a limit of its own and without looking again and again. */
    private static void awaitSleep(Thread closer) throws InterruptedException {
        while (closer.getState() != Thread.State.WAITING) {
            assertThat(closer.isAlive()).as("it waits for the loop").isTrue();
            TimeUnit.MILLISECONDS.sleep(1);
        }
    }

    @Test
    void shouldSleepUntilTheThreadHasEnded() throws InterruptedException {
        Thread closer = closer();
        closing.ended();
        Thread late = closer();
        awaitSleep(closer);
        assertThat(closer.isAlive()).as("the thread has still to end").isTrue();
        loopMayEnd.countDown();
        closer.join();
        late.join();
        closing.await();
        assertThat(loopThread.isAlive()).isFalse();
    }

    @Test
    void shouldReleaseClosersWhenTasksOfOtherThreadsAreMissingAtTheLimit() throws InterruptedException {
        closing.expectTasks(3);
        closing.expectTasks(-1);
        assertThat(closing.begin()).isTrue();
        assertThat(closing.begin()).as("the first time alone").isFalse();
        Thread closer = closer();
        now += LIMIT_NANOS - 1;
        try (CapturedLog logged = new CapturedLog()) {
            assertThat(closing.mayEnd(handles)).isFalse();
            assertThat(logged.containing("did not come back")).isEmpty();
            assertThat(closer.isAlive()).isTrue();
            now += 1;
            assertThat(closing.mayEnd(handles)).as("a thread may still work on the memory of its request").isFalse();
            assertThat(closer.join(Duration.ofSeconds(Patience.seconds(20)))).as("it waits no longer").isTrue();
            assertThat(closing.mayEnd(handles)).isFalse();
            assertThat(logged.containing("test: 2 requests did not come back from their threads in 10 s; the loop ends when they do")).hasSize(1);
        }
        // The loop lives on, and nobody waits for it any more.
        closing.await();
        assertThat(loopThread.isAlive()).isTrue();
        closing.expectTasks(-2);
        assertThat(closing.mayEnd(handles)).isTrue();
    }
}
