package dev.sluice.pipeline;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sluice.pipeline.testing.ManualLoop;
import dev.sluice.pipeline.testing.TestIo;
import dev.sluice.pipeline.testing.TestQueue;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/** A queue that a loop looks at is not forgotten where that look throws, after which the loop looks no more. */
class LookedAtTest {
    private final ManualLoop ticks = new ManualLoop();
    private final List<IoLoop.Poller> looked = new ArrayList<>();
    private final IoLoop loop = spinning();
    private final TestQueue ring = new TestQueue(loop, 0, 16);
    private @Nullable String failing;

    /** A loop that looks at what it is given, as one with {@code --poll-max-ns}. */
    private IoLoop spinning() {
        return proxy(IoLoop.class, ticks, (method, arguments) -> {
            if (method.equals("addPoller")) {
                looked.add((IoLoop.Poller) arguments[0]);
                return true;
            }
            return null;
        });
    }

    private interface Before {
        /** What to return in place of the call, or null to make it. */
        @Nullable
        Object call(String method, Object[] arguments);
    }

    private static <T> T proxy(Class<T> type, T target, Before before) {
        return type.cast(Proxy.newProxyInstance(type.getClassLoader(), new Class<?>[] {type}, (proxy, method, arguments) -> {
            Object instead = before.call(method.getName(), arguments);
            if (instead != null) {
                return instead;
            }
            try {
                return method.invoke(target, arguments);
            } catch (InvocationTargetException failed) {
                throw failed.getCause();
            }
        }));
    }

    private RequestQueue sometimesFailing() {
        return proxy(RequestQueue.class, ring, (method, arguments) -> {
            if (method.equals(failing)) {
                throw new InternalError("simulated");
            }
            return null;
        });
    }

    @Test
    void shouldBeLookedAtAgainWhenALookHasThrown() {
        shouldGoOnWhen("available", IoLoop.Poller::poll);
        shouldGoOnWhen("enableKicks", IoLoop.Poller::armNotifications);
        shouldGoOnWhen("disableKicks", IoLoop.Poller::disarmNotifications);
        ticks.close();
    }

    @Test
    void shouldHaveNothingToLookAtWhileTheQueueIsPaused() {
        QueueSource source = ring.feed(new QueueSource(loop, ring));
        Recorder subscriber = new Recorder();
        source.subscribe(subscriber);
        subscriber.request(100);
        ticks.tickUntilIdle();
        IoLoop.Poller poller = looked.getLast();
        source.pause(() -> {});
        ring.submit(TestIo.flush());
        assertThat(poller.poll()).as("work for a loop that spins").isFalse();
        assertThat(poller.armNotifications()).as("work for a loop that is about to sleep").isFalse();
        source.resume();
        ticks.tickUntilIdle();
        assertThat(subscriber.requests).hasSize(1);
        subscriber.completeAll();
        ticks.tickUntilIdle();
        ticks.close();
    }

    private void shouldGoOnWhen(String method, Consumer<IoLoop.Poller> visit) {
        looked.clear();
        QueueSource source = ring.feed(new QueueSource(loop, sometimesFailing()));
        Recorder subscriber = new Recorder();
        source.subscribe(subscriber);
        subscriber.request(100);
        ticks.tickUntilIdle();
        source.kicked();
        ticks.tickUntilIdle();
        assertThat(looked).as(method).hasSize(1);
        failing = method;
        assertThatThrownBy(() -> visit.accept(looked.getFirst())).isInstanceOf(InternalError.class);
        failing = null;
        // The loop has dropped it; its turn puts it back.
        ticks.tickUntilIdle();
        assertThat(looked).as(method).hasSize(2);
        ring.submit(TestIo.flush());
        assertThat(looked.getLast().poll()).isTrue();
        ticks.tickUntilIdle();
        assertThat(subscriber.requests).as(method).hasSize(1);
        subscriber.completeAll();
        source.stop(() -> {});
        ticks.tickUntilIdle();
    }

    /** A queue that the loop looks at, with a subscriber that has demand. */
    private QueueSource lookedAtSource(Recorder subscriber) {
        QueueSource source = ring.feed(new QueueSource(loop, sometimesFailing()));
        source.subscribe(subscriber);
        subscriber.request(100);
        ticks.tickUntilIdle();
        assertThat(looked).hasSize(1);
        return source;
    }

    @Test
    void shouldStayWithTheLoopWhileThereIsNothing() {
        QueueSource source = lookedAtSource(new Recorder());
        assertThat(looked.getFirst().poll()).isFalse();
        assertThat(looked.getFirst().armNotifications()).isFalse();
        assertThat(ring.kicksEnabled()).as("the loop sleeps").isTrue();
        looked.getFirst().disarmNotifications();
        assertThat(ring.kicksEnabled()).as("the loop looks by itself").isFalse();
        source.kicked();
        ticks.tickUntilIdle();
        assertThat(looked).as("the loop has it already").hasSize(1);
        source.stop(() -> {});
        ticks.close();
    }

    @Test
    void shouldGetATurnWhenALookFindsARequest() {
        Recorder subscriber = new Recorder();
        QueueSource source = lookedAtSource(subscriber);
        for (int round = 1; round <= 2; round++) {
            looked.getLast().disarmNotifications();
            ring.submit(TestIo.flush());
            assertThat(looked.getLast().poll()).isTrue();
            ticks.tickUntilIdle();
            assertThat(subscriber.requests).hasSize(round);
            assertThat(looked).as("the turn puts it back").hasSize(1 + round);
        }
        assertThat(ring.kicks()).isZero();
        subscriber.completeAll();
        source.stop(() -> {});
        ticks.close();
    }

    @Test
    void shouldGetATurnAndNoKickWhenARequestComesBeforeTheLoopSleeps() {
        Recorder subscriber = new Recorder();
        QueueSource source = lookedAtSource(subscriber);
        looked.getFirst().disarmNotifications();
        ring.submit(TestIo.flush());
        assertThat(looked.getFirst().armNotifications()).isTrue();
        assertThat(ring.kicksEnabled()).as("the loop does not sleep").isFalse();
        ticks.tickUntilIdle();
        assertThat(subscriber.requests).hasSize(1);
        assertThat(looked).hasSize(2);
        subscriber.completeAll();
        source.stop(() -> {});
        ticks.close();
    }

    @Test
    void shouldLeaveTheLoopWhenTheQueueHasStopped() {
        QueueSource source = lookedAtSource(new Recorder());
        source.stop(() -> {});
        boolean kicks = ring.kicksEnabled();
        assertThat(looked.getFirst().poll()).isTrue();
        assertThat(looked.getFirst().armNotifications()).isTrue();
        assertThat(ring.kicksEnabled()).as("the ring is left alone").isEqualTo(kicks);
        assertThat(ticks.tickUntilIdle()).as("nothing to do").isZero();
        ticks.close();
    }
}
