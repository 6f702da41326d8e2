package dev.sluice.aio.nio;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.linux.Errno;
import dev.sluice.pipeline.testing.Patience;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.IntSupplier;
import org.junit.jupiter.api.Test;

/** One sync at a time, whose result is that of all who came before it began. */
class SharedSyncTest {
    private static final int CALLERS = 8;

    @Test
    void shouldServeAllWhoWaitWithOneSyncThatBeginsAfterTheyCame() throws Exception {
        SharedSync syncs = new SharedSync();
        CountDownLatch begun = new CountDownLatch(1);
        CountDownLatch mayEnd = new CountDownLatch(1);
        AtomicInteger calls = new AtomicInteger();
        AtomicInteger together = new AtomicInteger();
        List<Thread> threads = new ArrayList<>();
        CompletableFuture<Integer> first = run(threads, syncs, () -> {
            begun.countDown();
            awaitUninterrupted(mayEnd);
            return -Errno.EIO;
        });
        assertThat(begun.await(Patience.seconds(60), TimeUnit.SECONDS)).isTrue();
        List<CompletableFuture<Integer>> others = new ArrayList<>();
        for (int i = 0; i < CALLERS; i++) {
            others.add(run(threads, syncs, () -> {
                assertThat(together.incrementAndGet()).isEqualTo(1);
                calls.incrementAndGet();
                together.decrementAndGet();
                return -Errno.ENOSPC;
            }));
        }
        for (Thread waiting : threads.subList(1, threads.size())) {
            while (waiting.getState() != Thread.State.BLOCKED) {
                Thread.onSpinWait();
                assertThat(waiting.isAlive()).isTrue();
            }
        }
        mayEnd.countDown();
        assertThat(first.get(Patience.seconds(60), TimeUnit.SECONDS)).isEqualTo(-Errno.EIO);
        for (CompletableFuture<Integer> other : others) {
            assertThat(other.get(Patience.seconds(60), TimeUnit.SECONDS)).as("not that of the sync that had begun before").isEqualTo(-Errno.ENOSPC);
        }
        assertThat(calls).hasValue(1);
    }

    @Test
    void shouldNotShareARefusal() {
        SharedSync syncs = new SharedSync();
        assertThat(syncs.run(() -> -Errno.EAGAIN)).isEqualTo(-Errno.EAGAIN);
        assertThat(syncs.run(() -> 0)).isZero();
    }

    private static CompletableFuture<Integer> run(List<Thread> threads, SharedSync syncs, IntSupplier sync) {
        CompletableFuture<Integer> result = new CompletableFuture<>();
        threads.add(Thread.ofPlatform().daemon().start(() -> result.complete(syncs.run(sync))));
        return result;
    }

    private static void awaitUninterrupted(CountDownLatch latch) {
        try {
            assertThat(latch.await(Patience.seconds(60), TimeUnit.SECONDS)).isTrue();
        } catch (InterruptedException stopped) {
            throw new IllegalStateException(stopped);
        }
    }
}
