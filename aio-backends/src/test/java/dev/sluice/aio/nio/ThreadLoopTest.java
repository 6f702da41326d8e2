package dev.sluice.aio.nio;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sluice.aio.loop.IoLoopContract;
import dev.sluice.pipeline.IoLoop;
import dev.sluice.pipeline.testing.Patience;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;

class ThreadLoopTest {
    /** What every loop does. */
    @Nested
    class Contract extends IoLoopContract {
        @Override
        protected IoLoop start(String name) {
            return ThreadLoop.start(name);
        }

        @Override
        protected boolean watches() {
            return false;
        }
    }

    private final IoLoop loop = ThreadLoop.start("thread-loop-test");

    @AfterEach
    void close() {
        loop.close();
    }

    private static void await(CountDownLatch latch) throws InterruptedException {
        assertThat(latch.await(Patience.seconds(30), TimeUnit.SECONDS)).isTrue();
    }

    @Test
    void shouldRunTasksOfAThreadInTheirOrderOnItsOwn() throws InterruptedException {
        List<Integer> order = new ArrayList<>();
        CountDownLatch done = new CountDownLatch(1);
        for (int i = 0; i < 10_000; i++) {
            int number = i;
            loop.execute(() -> order.add(loop.inLoop() ? number : -1));
        }
        loop.execute(done::countDown);
        await(done);
        assertThat(order).hasSize(10_000).isSorted().doesNotContain(-1);
    }

    @Test
    void shouldLoseNoTaskOfManyThreadsHoweverOftenItParks() throws InterruptedException {
        AtomicInteger ran = new AtomicInteger();
        List<Thread> threads = new ArrayList<>();
        for (int t = 0; t < 4; t++) {
            threads.add(Thread.ofPlatform().start(() -> {
                for (int i = 0; i < 2_000; i++) {
                    CountDownLatch one = new CountDownLatch(1);
                    loop.execute(() -> {
                        ran.incrementAndGet();
                        one.countDown();
                    });
                    try {
                        await(one);
                    } catch (InterruptedException interrupted) {
                        return;
                    }
                }
            }));
        }
        for (Thread thread : threads) {
            thread.join();
        }
        assertThat(ran).hasValue(8_000);
    }

    @Test
    void shouldRunTimersTurnsAndHooksInTheOrderOfATick() throws InterruptedException {
        List<String> order = new ArrayList<>();
        CountDownLatch done = new CountDownLatch(1);
        loop.execute(() -> {
            loop.schedule(() -> {
                order.add("timer");
                done.countDown();
            }, TimeUnit.MILLISECONDS.toNanos(5));
            loop.atTickEnd(() -> order.add("hook"));
            loop.requestTurn(() -> {
                order.add("turn");
                return false;
            });
            order.add("task");
        });
        await(done);
        assertThat(order).containsExactly("task", "turn", "hook", "timer");
    }

    @Test
    void shouldOutliveWhatIsThrownIntoIt() throws InterruptedException {
        CountDownLatch done = new CountDownLatch(1);
        loop.execute(() -> {
            throw new IllegalStateException("thrown into the loop by a test");
        });
        loop.execute(done::countDown);
        await(done);
    }

    @Test
    void shouldRunWhatItHasAndRefuseMoreWhenItIsClosed() {
        AtomicInteger ran = new AtomicInteger();
        loop.execute(ran::incrementAndGet);
        loop.close();
        assertThat(ran).hasValue(1);
        assertThatThrownBy(() -> loop.execute(ran::incrementAndGet)).isInstanceOf(RejectedExecutionException.class);
    }

    @Test
    void shouldSayThatItServesNoGuest() {
        assertThat(new ThreadLoopProvider().watches()).isFalse();
        assertThatThrownBy(() -> loop.onReadable(0, () -> {})).isInstanceOf(UnsupportedOperationException.class).hasMessageContaining("BlockDevice only");
    }
}
