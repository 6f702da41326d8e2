package dev.sluice.aio.threads;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sluice.linux.CapturedLog;
import java.io.IOException;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Calls are made whatever becomes of further threads. */
@Timeout(120)
class CallThreadsTest {
    private static final ThreadFactory DAEMONS = Thread.ofPlatform().daemon().name("call-threads-test").factory();

    private final AtomicInteger refused = new AtomicInteger();

    private ThreadFactory withAtMost(int allowed) {
        AtomicInteger made = new AtomicInteger();
        return work -> {
            if (made.getAndIncrement() >= allowed) {
                refused.incrementAndGet();
                throw new OutOfMemoryError("unable to create native thread: possibly out of memory or process/resource limits reached");
            }
            return DAEMONS.newThread(work);
        };
    }

    @Test
    void shouldMakeEveryCallWhenNoFurtherThreadCanBeHad() throws InterruptedException {
        CallThreads threads = new CallThreads("test-", 4, withAtMost(1));
        int calls = 1000;
        CountDownLatch made = new CountDownLatch(calls);
        for (int i = 0; i < calls; i++) {
            assertThat(threads.run(made::countDown)).isTrue();
        }
        made.await();
        threads.close();
    }

    @Test
    void shouldStartFurtherThreadsWhenCallsQueueUp() throws InterruptedException {
        CallThreads threads = new CallThreads("test-", 4, withAtMost(Integer.MAX_VALUE));
        CountDownLatch together = new CountDownLatch(4);
        CountDownLatch made = new CountDownLatch(4);
        for (int i = 0; i < 4; i++) {
            assertThat(threads.run(() -> {
                together.countDown();
                try {
                    together.await();
                    made.countDown();
                } catch (InterruptedException ended) {
                    Thread.currentThread().interrupt();
                }
            })).isTrue();
        }
        made.await();
        threads.close();
    }

    @Test
    void shouldLeaveNothingBehindWhenThereIsNoThreadAtAll() {
        AtomicInteger made = new AtomicInteger();
        CallThreads threads = new CallThreads("test-", 4, withAtMost(0));
        assertThat(threads.run(made::incrementAndGet)).isFalse();
        assertThat(threads.run(made::incrementAndGet)).isFalse();
        assertThat(refused).hasValue(2);
        assertThat(made).hasValue(0);
    }

    @Test
    void shouldGoOnWhenACallThrows() throws InterruptedException {
        CallThreads threads = new CallThreads("test-", 1, withAtMost(1));
        assertThat(threads.run(() -> {
            throw new AssertionError("thrown on purpose");
        })).isTrue();
        CountDownLatch made = new CountDownLatch(1);
        assertThat(threads.run(made::countDown)).isTrue();
        made.await();
        threads.close();
    }

    @Test
    void shouldMakeWhatWasHandedOverWhenClosed() throws InterruptedException {
        CallThreads threads = new CallThreads("test-", 1, withAtMost(1));
        CountDownLatch closed = new CountDownLatch(1);
        CountDownLatch made = new CountDownLatch(1);
        assertThat(threads.run(() -> {
            try {
                closed.await();
            } catch (InterruptedException ended) {
                Thread.currentThread().interrupt();
            }
        })).isTrue();
        assertThat(threads.run(made::countDown)).isTrue();
        threads.close();
        closed.countDown();
        made.await();
    }

    @Test
    void shouldHaveItsFirstThreadBeforeTheFirstCall() throws IOException, InterruptedException {
        String name = "call-threads-" + System.nanoTime() + "-";
        CallThreads threads = CallThreads.start(name, 4);
        Thread[] all = new Thread[Thread.activeCount() + 64];
        int count = Thread.enumerate(all);
        Thread first = null;
        for (int i = 0; i < count; i++) {
            if (all[i].getName().equals(name + "0")) {
                first = all[i];
            }
        }
        assertThat(first).isNotNull();
        threads.close();
        if (first != null) {
            first.join(TimeUnit.SECONDS.toMillis(60));
            assertThat(first.isAlive()).as("ends when closed").isFalse();
        }
    }

    // ---- how many threads there are, by a clock that stands still

    private final AtomicLong nowNanos = new AtomicLong(-5);
    private final List<Thread> made = new CopyOnWriteArrayList<>();
    private int refusals;

    private CallThreads noted(int most) throws IOException {
        CallThreads threads = new CallThreads(
                "noted-",
                most,
                work -> {
                    if (refusals > 0) {
                        refusals--;
                        refused.incrementAndGet();
                        throw new OutOfMemoryError("made up");
                    }
                    Thread thread = DAEMONS.newThread(work);
                    made.add(thread);
                    return thread;
                },
                nowNanos::get);
        threads.startFirst();
        awaitIdle();
        return threads;
    }

    private void end(CallThreads threads) throws InterruptedException {
        threads.close();
        for (Thread thread : made) {
            thread.join(TimeUnit.SECONDS.toMillis(30));
            assertThat(thread.isAlive()).as("ends when closed").isFalse();
        }
    }

    /** Returns once all threads that are alive wait for work. */
    private void awaitIdle() {
        for (Thread thread : made) {
            while (thread.isAlive() && thread.getState() != Thread.State.TIMED_WAITING) {
                Thread.onSpinWait();
            }
        }
    }

    static Runnable waitingFor(CountDownLatch latch) {
        return () -> {
            try {
                latch.await();
            } catch (InterruptedException ended) {
                Thread.currentThread().interrupt();
            }
        };
    }

    @Test
    void shouldUseAnIdleThreadBeforeItStartsAnother() throws Exception {
        CallThreads threads = noted(4);
        for (int i = 0; i < 3; i++) {
            CountDownLatch done = new CountDownLatch(1);
            assertThat(threads.run(done::countDown)).isTrue();
            done.await();
            awaitIdle();
        }
        assertThat(made).hasSize(1);
        CountDownLatch hold = new CountDownLatch(1);
        for (int i = 0; i < 10; i++) {
            assertThat(threads.run(waitingFor(hold))).isTrue();
        }
        assertThat(made).as("no more than it may").hasSize(4);
        hold.countDown();
        end(threads);
    }

    @Test
    void shouldEndThreadsThatWereIdleForTenSecondsButForOne() throws Exception {
        CallThreads threads = noted(3);
        CountDownLatch hold = new CountDownLatch(1);
        for (int i = 0; i < 3; i++) {
            assertThat(threads.run(waitingFor(hold))).isTrue();
        }
        hold.countDown();
        awaitIdle();
        for (int seconds : new int[] {9, 1}) {
            assertThat(made).allMatch(Thread::isAlive);
            nowNanos.addAndGet(TimeUnit.SECONDS.toNanos(seconds));
            // They look at the clock when they wake.
            for (Thread thread : made) {
                thread.interrupt();
                while (thread.isInterrupted()) {
                    Thread.onSpinWait();
                }
            }
            awaitIdle();
        }
        assertThat(made.stream().filter(Thread::isAlive)).hasSize(1);
        CountDownLatch again = new CountDownLatch(1);
        for (int i = 0; i < 3; i++) {
            assertThat(threads.run(waitingFor(again))).isTrue();
        }
        assertThat(made).as("two more are started").hasSize(5);
        again.countDown();
        end(threads);
    }

    @Test
    void shouldAskForAFurtherThreadAgainAfterPausesThatDoubleToFourSecondsWhileCallsWait() throws Exception {
        CallThreads threads = noted(3);
        CountDownLatch hold = new CountDownLatch(1);
        try (CapturedLog logged = new CapturedLog()) {
            assertThat(threads.run(waitingFor(hold))).isTrue();
            refusals = 9;
            assertThat(threads.run(() -> {})).isTrue();
            int asked = 1;
            for (long pause : new long[] {1, 2, 4, 4, 4, 4, 4, 4}) {
                nowNanos.addAndGet(TimeUnit.SECONDS.toNanos(pause) - 1);
                assertThat(threads.run(() -> {})).isTrue();
                assertThat(refused).as("before %d s", pause).hasValue(asked);
                nowNanos.incrementAndGet();
                assertThat(threads.run(() -> {})).isTrue();
                assertThat(refused).as("after %d s", pause).hasValue(++asked);
            }
            assertThat(logged.containing("noted-: no further thread can be started (made up); calls are made by 1 until one can")).hasSize(1);
            nowNanos.addAndGet(TimeUnit.SECONDS.toNanos(4));
            assertThat(threads.run(waitingFor(hold))).isTrue();
            assertThat(made).hasSize(2);
            refusals = 1;
            assertThat(threads.run(waitingFor(hold))).isTrue();
            assertThat(logged.containing("no further thread can be started")).as("again").hasSize(2);
            nowNanos.addAndGet(TimeUnit.SECONDS.toNanos(1));
            assertThat(threads.run(waitingFor(hold))).isTrue();
            assertThat(made).as("the pause is short again").hasSize(3);
        }
        hold.countDown();
        end(threads);
    }

    @Test
    void shouldMakeACallThatComesAfterItsEndWithAThreadOfItsOwn() throws Exception {
        CallThreads threads = noted(4);
        CountDownLatch hold = new CountDownLatch(1);
        assertThat(threads.run(waitingFor(hold))).isTrue();
        threads.close();
        CountDownLatch made2 = new CountDownLatch(1);
        assertThat(threads.run(made2::countDown)).isTrue();
        assertThat(made).as("no further threads once it is closed").hasSize(1);
        hold.countDown();
        made2.await();
        end(threads);
        CountDownLatch late = new CountDownLatch(1);
        assertThat(threads.run(late::countDown)).isTrue();
        late.await();
        assertThat(made).hasSize(2);
        end(threads);
    }

    @Test
    void shouldLogWhatACallThrows() throws Exception {
        CallThreads threads = noted(1);
        try (CapturedLog logged = new CapturedLog()) {
            assertThat(threads.run(() -> {
                throw new AssertionError("made up");
            })).isTrue();
            end(threads);
            assertThat(logged.containing("noted-: a call failed")).hasSize(1);
        }
    }

    @Test
    void shouldSayWhatToDoIfNotEvenOneThreadCanBeStarted() {
        assertThatThrownBy(() -> new CallThreads("none-", 4, withAtMost(0)).startFirst())
                .isInstanceOf(IOException.class)
                .hasMessageContaining("cannot start thread none-0 (unable to create native thread")
                .hasMessageContaining("raise the limit of tasks");
    }
}
