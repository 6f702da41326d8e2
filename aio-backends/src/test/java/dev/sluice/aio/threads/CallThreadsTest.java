package dev.sluice.aio.threads;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
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
}
