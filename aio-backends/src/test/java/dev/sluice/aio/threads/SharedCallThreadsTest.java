package dev.sluice.aio.threads;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Images that share threads, with as many as can be had and with fewer. */
@Timeout(120)
class SharedCallThreadsTest {
    private final List<Thread> made = new CopyOnWriteArrayList<>();
    private volatile int allowed = Integer.MAX_VALUE;
    /** What each thread waits for before it looks for calls. */
    private volatile CountDownLatch begin = new CountDownLatch(0);
    private final AtomicLong nowNanos = new AtomicLong(-5);
    private final AtomicInteger refused = new AtomicInteger();
    private final Workers workers = new Workers("shared-", true, work -> {
        if (made.size() >= allowed) {
            refused.incrementAndGet();
            throw new OutOfMemoryError("made up");
        }
        Thread thread = Thread.ofPlatform().daemon().name("shared-call-threads-test").unstarted(() -> {
            CallThreadsTest.waitingFor(begin).run();
            work.run();
        });
        made.add(thread);
        return thread;
    }, nowNanos::get);

    private CallThreads share(String name, int most) throws IOException {
        return CallThreads.share(workers, name, most);
    }

    @Test
    void shouldHaveOneThreadForImagesThatDoNothing() throws Exception {
        for (int i = 0; i < 100; i++) {
            CallThreads _ = share("image " + i, 4);
        }
        assertThat(made).hasSize(1);
    }

    @Test
    void shouldMakeCallsOfOneImageWhileAllThatAnotherMayHaveHang() throws Exception {
        CallThreads hanging = share("hanging", 4);
        CallThreads other = share("other", 4);
        CountDownLatch hold = new CountDownLatch(1);
        for (int i = 0; i < 20; i++) {
            assertThat(hanging.run(CallThreadsTest.waitingFor(hold))).isTrue();
        }
        assertThat(made).as("what it may, and one ahead").hasSize(5);
        CountDownLatch done = new CountDownLatch(8);
        for (int i = 0; i < 8; i++) {
            assertThat(other.run(done::countDown)).isTrue();
        }
        assertThat(done.await(60, TimeUnit.SECONDS)).isTrue();
        assertThat(made).hasSizeLessThanOrEqualTo(8);
        hold.countDown();
    }

    /** The limit is reached while one image's file system hangs already, but was not when it began to: there is a thread for the other then. */
    @Test
    void shouldHaveAThreadForTheNextImageBeforeOneIsRefused() throws Exception {
        CallThreads hanging = share("hanging", 4);
        CallThreads other = share("other", 4);
        CountDownLatch hold = new CountDownLatch(1);
        // The first thread waits for work: it is enough for this call.
        while (made.getFirst().getState() != Thread.State.TIMED_WAITING) {
            Thread.onSpinWait();
        }
        assertThat(hanging.run(CallThreadsTest.waitingFor(hold))).isTrue();
        allowed = made.size();
        CountDownLatch done = new CountDownLatch(3);
        for (int i = 0; i < 3; i++) {
            assertThat(other.run(done::countDown)).isTrue();
        }
        assertThat(done.await(60, TimeUnit.SECONDS)).isTrue();
        hold.countDown();
    }

    /** However long its threads take to begin. */
    @Test
    void shouldStartNoMoreThreadsThanTheImageMayHaveAndOneAheadWhenItAsksForMuch() throws Exception {
        CallThreads busy = share("busy", 4);
        for (int i = 0; i < 15; i++) {
            CallThreads _ = share("image " + i, 4);
        }
        begin = new CountDownLatch(1);
        CountDownLatch done = new CountDownLatch(64);
        for (int i = 0; i < 64; i++) {
            assertThat(busy.run(done::countDown)).isTrue();
        }
        assertThat(made).hasSizeLessThanOrEqualTo(5);
        begin.countDown();
        assertThat(done.await(60, TimeUnit.SECONDS)).isTrue();
    }

    private void awaitWaiting(int threads) {
        long startNanos = System.nanoTime();
        while (made.stream().filter(thread -> thread.getState() == Thread.State.TIMED_WAITING).count() != threads) {
            assertThat(System.nanoTime() - startNanos).as("threads that wait: not %d", threads).isLessThan(TimeUnit.SECONDS.toNanos(30));
            Thread.onSpinWait();
        }
    }

    /** Lets so much time pass; idle threads look at the clock, and end or wait again. */
    private void pass(int seconds) {
        nowNanos.addAndGet(TimeUnit.SECONDS.toNanos(seconds));
        for (Thread thread : made) {
            if (thread.getState() == Thread.State.TIMED_WAITING) {
                thread.interrupt();
                while (thread.isAlive() && (thread.isInterrupted() || thread.getState() != Thread.State.TIMED_WAITING)) {
                    Thread.onSpinWait();
                }
            }
        }
    }

    @Test
    void shouldKeepTheThreadAheadWhileAllOthersHang() throws Exception {
        CallThreads hanging = share("hanging", 4);
        CallThreads other = share("other", 4);
        CountDownLatch hold = new CountDownLatch(1);
        for (int i = 0; i < 4; i++) {
            assertThat(hanging.run(CallThreadsTest.waitingFor(hold))).isTrue();
        }
        awaitWaiting(1);
        pass(10);
        allowed = made.size();
        CountDownLatch done = new CountDownLatch(1);
        assertThat(other.run(done::countDown)).isTrue();
        assertThat(done.await(10, TimeUnit.SECONDS)).isTrue();
        hold.countDown();
        awaitWaiting(5);
        pass(10);
        awaitWaiting(1);
        assertThat(made.stream().filter(Thread::isAlive)).as("once nothing hangs").hasSize(1);
    }

    @Test
    void shouldMakeWhatWaitsForARefusedThreadWithoutAFurtherCall() throws Exception {
        allowed = 1;
        CallThreads hanging = share("hanging", 4);
        CallThreads other = share("other", 4);
        CountDownLatch hold = new CountDownLatch(1);
        assertThat(hanging.run(CallThreadsTest.waitingFor(hold))).isTrue();
        CountDownLatch done = new CountDownLatch(3);
        for (int i = 0; i < 3; i++) {
            assertThat(other.run(done::countDown)).isTrue();
        }
        assertThat(other.lacking()).isTrue();
        for (int i = 0; i < 8; i++) {
            nowNanos.addAndGet(TimeUnit.SECONDS.toNanos(4));
            assertThat(other.retry()).as("still refused").isTrue();
        }
        assertThat(refused).hasValueGreaterThanOrEqualTo(8);
        allowed = Integer.MAX_VALUE;
        assertThat(other.retry()).as("just after a refusal").isTrue();
        nowNanos.addAndGet(TimeUnit.SECONDS.toNanos(4));
        assertThat(other.retry()).isFalse();
        assertThat(done.await(60, TimeUnit.SECONDS)).isTrue();
        assertThat(other.lacking()).isFalse();
        hold.countDown();
    }

    @Test
    void shouldAskForTheThreadAheadAfterPausesThatDoubleToAMinute() throws Exception {
        allowed = 1;
        CallThreads image = share("image", 4);
        int asked = 0;
        for (long pause : new long[] {0, 1, 2, 4, 8, 16, 32, 64, 64}) {
            if (pause > 0) {
                nowNanos.addAndGet(TimeUnit.SECONDS.toNanos(pause) - 1);
                makeOne(image);
                assertThat(refused).as("before %d s", pause).hasValue(asked);
                nowNanos.incrementAndGet();
            }
            makeOne(image);
            assertThat(refused).as("after %d s", pause).hasValue(++asked);
        }
        assertThat(image.lacking()).isFalse();
    }

    private void makeOne(CallThreads image) throws InterruptedException {
        awaitWaiting(1);
        CountDownLatch done = new CountDownLatch(1);
        assertThat(image.run(done::countDown)).isTrue();
        done.await();
    }

    /** Each takes turns, whatever the length of its queue. */
    @Test
    void shouldAlternateBetweenImagesWhenThereIsOneThread() throws Exception {
        allowed = 1;
        CallThreads busy = share("busy", 1);
        CallThreads other = share("other", 1);
        CountDownLatch hold = new CountDownLatch(1);
        assertThat(busy.run(CallThreadsTest.waitingFor(hold))).isTrue();
        List<String> order = Collections.synchronizedList(new ArrayList<>());
        CountDownLatch done = new CountDownLatch(8);
        for (CallThreads share : List.of(busy, other)) {
            for (int i = 0; i < 4; i++) {
                assertThat(share.run(() -> {
                    order.add(share.name);
                    done.countDown();
                })).isTrue();
            }
        }
        hold.countDown();
        done.await();
        assertThat(order).containsExactly("other", "busy", "other", "busy", "other", "busy", "other", "busy");
    }

    @Test
    void shouldMakeNoMoreCallsOfAnImageAtOnceThanItMay() throws Exception {
        CallThreads share = share("image", 3);
        CallThreads _ = share("another", 8);
        AtomicInteger now = new AtomicInteger();
        AtomicInteger most = new AtomicInteger();
        CountDownLatch done = new CountDownLatch(300);
        for (int i = 0; i < 300; i++) {
            assertThat(share.run(() -> {
                most.accumulateAndGet(now.incrementAndGet(), Math::max);
                Thread.onSpinWait();
                now.decrementAndGet();
                done.countDown();
            })).isTrue();
        }
        done.await();
        assertThat(most.get()).isBetween(1, 3);
    }

    @Test
    void shouldEndItsThreadsWithTheLastImageAndStartAgainWithTheNext() throws Exception {
        CallThreads first = share("first", 4);
        CallThreads second = share("second", 4);
        first.close();
        first.close();
        assertThat(made.getFirst().isAlive()).isTrue();
        CountDownLatch done = new CountDownLatch(1);
        assertThat(second.run(done::countDown)).isTrue();
        done.await();
        second.close();
        for (Thread thread : made) {
            thread.join(TimeUnit.SECONDS.toMillis(60));
            assertThat(thread.isAlive()).as("after the last image").isFalse();
        }
        made.clear();
        CallThreads third = share("third", 4);
        assertThat(made).hasSize(1);
        third.close();
    }

    @Test
    void shouldSayWhatToDoIfThereIsNoThreadForTheFirstImageAndTakeTheNextOnceThereIs() throws Exception {
        allowed = 0;
        assertThatThrownBy(() -> share("image", 4))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("cannot start thread shared-0 (made up): raise the limit of tasks");
        allowed = 1;
        CallThreads share = share("image", 4);
        CountDownLatch done = new CountDownLatch(1);
        assertThat(share.run(done::countDown)).isTrue();
        done.await();
        share.close();
    }
}
