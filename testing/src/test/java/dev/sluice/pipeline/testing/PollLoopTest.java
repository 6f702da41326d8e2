package dev.sluice.pipeline.testing;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sluice.linux.EventFd;
import dev.sluice.linux.Fd;
import dev.sluice.pipeline.IoLoop;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

class PollLoopTest {

    @Test
    void shouldRunTasksOnItsThreadInOrder() {
        try (PollLoop loop = PollLoop.start("poll-loop-test")) {
            List<Integer> seen = new ArrayList<>();
            for (int i = 0; i < 1000; i++) {
                int number = i;
                loop.execute(() -> {
                    loop.assertInLoop();
                    seen.add(number);
                });
            }
            loop.run(() -> assertThat(seen).hasSize(1000).isSorted());
        }
    }

    @Test
    void shouldCallTheWatchForEveryWriteThatFollowsACall() throws InterruptedException {
        try (PollLoop loop = PollLoop.start("poll-loop-test");
                Fd kick = Fd.adopt(EventFd.create(0, EventFd.EFD_NONBLOCK))) {
            for (int round = 0; round < 100; round++) {
                CountDownLatch called = new CountDownLatch(1);
                IoLoop.Watch watch = loop.call(() -> loop.onReadable(kick.number(), called::countDown));
                assertThat(EventFd.signal(kick.number())).isZero();
                assertThat(called.await(Patience.seconds(30), TimeUnit.SECONDS)).isTrue();
                loop.run(watch::close);
            }
        }
    }

    @Test
    void shouldKeepTheOrderOfATick() {
        try (PollLoop loop = PollLoop.start("poll-loop-test")) {
            List<String> order = new ArrayList<>();
            CountDownLatch done = new CountDownLatch(1);
            loop.execute(() -> {
                loop.atTickEnd(() -> {
                    order.add("hook");
                    loop.atTickEnd(() -> order.add("second hook"));
                });
                loop.requestTurn(() -> {
                    order.add("turn");
                    loop.execute(() -> {
                        order.add("next tick");
                        done.countDown();
                    });
                    return false;
                });
                order.add("task");
            });
            assertThat(loop.<Boolean>call(() -> true)).isTrue();
            awaited(done);
            assertThat(order).containsExactly("task", "turn", "hook", "second hook", "next tick");
        }
    }

    @Test
    void shouldRunADelayedTaskNotBeforeItsTime() {
        try (PollLoop loop = PollLoop.start("poll-loop-test")) {
            long delayNanos = TimeUnit.MILLISECONDS.toNanos(5);
            CountDownLatch done = new CountDownLatch(1);
            long begun = System.nanoTime();
            loop.run(() -> loop.schedule(done::countDown, delayNanos));
            awaited(done);
            assertThat(System.nanoTime() - begun).isGreaterThanOrEqualTo(delayNanos);
        }
    }

    @Test
    void shouldGoOnAfterATaskHasThrownAndTellOfItOnClose() {
        PollLoop loop = PollLoop.start("poll-loop-test");
        loop.execute(() -> {
            throw new IllegalStateException("thrown on purpose");
        });
        assertThat(loop.<Integer>call(() -> 1)).isEqualTo(1);
        assertThatThrownBy(loop::close).hasMessageContaining("thrown on purpose");
        assertThatThrownBy(() -> loop.execute(() -> {})).isInstanceOf(RejectedExecutionException.class);
    }

    private static void awaited(CountDownLatch latch) {
        try {
            assertThat(latch.await(Patience.seconds(30), TimeUnit.SECONDS)).isTrue();
        } catch (InterruptedException interrupted) {
            throw new AssertionError(interrupted);
        }
    }
}
