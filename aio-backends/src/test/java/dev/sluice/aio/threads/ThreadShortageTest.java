package dev.sluice.aio.threads;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.aio.loop.HandDrivenLoop;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** A call whose thread was refused, while those that exist hang, and nobody makes another. */
@Timeout(60)
class ThreadShortageTest {
    private static final long SECOND = TimeUnit.SECONDS.toNanos(1);

    private final AtomicLong nowNanos = new AtomicLong();
    private int allowed = 1;
    private int made;
    private int asked;
    private final Workers workers = new Workers("shared-", true, work -> {
        asked++;
        if (made >= allowed) {
            throw new OutOfMemoryError("made up");
        }
        made++;
        return Thread.ofPlatform().daemon().name("thread-shortage-test").unstarted(work);
    }, nowNanos::get);

    private void pass(HandDrivenLoop loop) {
        nowNanos.addAndGet(SECOND);
        loop.advance(SECOND);
        loop.tick();
    }

    @Test
    void shouldAskEverySecondOrSoUntilTheCallHasAThread() throws Exception {
        HandDrivenLoop loop = new HandDrivenLoop();
        CallThreads hanging = CallThreads.share(workers, "hanging", 4);
        CallThreads other = CallThreads.share(workers, "other", 4);
        ThreadShortage shortage = new ThreadShortage(loop, other);
        CountDownLatch hold = new CountDownLatch(1);
        assertThat(hanging.run(() -> {
            try {
                hold.await();
            } catch (InterruptedException ended) {
                Thread.currentThread().interrupt();
            }
        })).isTrue();
        CountDownLatch done = new CountDownLatch(2);
        for (int i = 0; i < 2; i++) {
            assertThat(other.run(done::countDown)).isTrue();
            shortage.handedOver();
        }
        int before = asked;
        for (int i = 0; i < 20; i++) {
            pass(loop);
        }
        assertThat(asked - before).as("after 1, 2, 4, 4, 4 and 4 s").isBetween(5, 6);
        allowed = 100;
        for (int i = 0; i < 4; i++) {
            pass(loop);
        }
        assertThat(done.await(30, TimeUnit.SECONDS)).isTrue();
        assertThat(other.lacking()).isFalse();
        hold.countDown();
        hanging.close();
        other.close();
        loop.end();
    }
}
