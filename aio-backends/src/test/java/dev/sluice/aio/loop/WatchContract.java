package dev.sluice.aio.loop;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.linux.EventFd;
import dev.sluice.linux.Fd;
import dev.sluice.linux.LinuxFile;
import dev.sluice.linux.NativeBlock;
import dev.sluice.linux.NativeMemory;
import dev.sluice.linux.Poll;
import dev.sluice.linux.PollSet;
import dev.sluice.linux.UnixSocket;
import dev.sluice.pipeline.IoLoop;
import dev.sluice.pipeline.LoopCounters;
import dev.sluice.pipeline.testing.Patience;
import java.io.IOException;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Kicks: none is lost, several may be one, and a watch that is closed holds nothing. The test of a kind of watch extends it. */
public abstract class WatchContract {
    private static final int PATIENCE_SECONDS = Patience.seconds(30);

    private final IoLoop loop;

    protected WatchContract(IoLoop loop) {
        this.loop = loop;
    }

    @BeforeEach
    final void checkLoopRuns() {
        assertThat(loop.inLoop()).isFalse();
    }

    @AfterEach
    final void closeLoop() {
        loop.close();
    }

    private <T> T onLoop(Callable<T> work) {
        CompletableFuture<T> done = new CompletableFuture<>();
        loop.execute(() -> {
            try {
                done.complete(work.call());
            } catch (Throwable failure) {
                done.completeExceptionally(failure);
            }
        });
        return done.orTimeout(PATIENCE_SECONDS, TimeUnit.SECONDS).join();
    }

    private static Fd newEventFd() {
        return Fd.adopt(EventFd.create(0, EventFd.EFD_CLOEXEC | EventFd.EFD_NONBLOCK));
    }

    private static boolean acquired(Semaphore calls) throws InterruptedException {
        return calls.tryAcquire(PATIENCE_SECONDS, TimeUnit.SECONDS);
    }

    @Test
    void shouldCallForEachOfManyKicksWhenEachWaitsForTheCallBefore() throws InterruptedException {
        try (Fd kick = newEventFd()) {
            Semaphore calls = new Semaphore(0);
            IoLoop.Watch watch = onLoop(() -> loop.onReadable(kick.number(), calls::release));
            for (int i = 0; i < 2000; i++) {
                assertThat(EventFd.signal(kick.number())).isZero();
                assertThat(acquired(calls)).as("kick %d", i).isTrue();
                calls.drainPermits();
            }
            closeOnLoop(watch);
        }
    }

    @Test
    void shouldLoseNoKickWhenManyComeAtOnce() throws InterruptedException {
        try (Fd kick = newEventFd()) {
            // As a virtqueue does: what was published before a kick must be seen by some call after it.
            AtomicInteger published = new AtomicInteger();
            CompletableFuture<Boolean> sawAll = new CompletableFuture<>();
            int kicks = 100_000;
            IoLoop.Watch watch = onLoop(() -> loop.onReadable(kick.number(), () -> {
                if (published.get() == kicks) {
                    sawAll.complete(true);
                }
            }));
            for (int i = 0; i < kicks; i++) {
                published.incrementAndGet();
                EventFd.signal(kick.number());
            }
            assertThat(sawAll.orTimeout(PATIENCE_SECONDS, TimeUnit.SECONDS).join()).isTrue();
            closeOnLoop(watch);
        }
    }

    @Test
    void shouldCallForAKickThatCameBeforeTheWatch() throws InterruptedException {
        try (Fd kick = newEventFd()) {
            EventFd.signal(kick.number());
            Semaphore calls = new Semaphore(0);
            IoLoop.Watch watch = onLoop(() -> loop.onReadable(kick.number(), calls::release));
            assertThat(acquired(calls)).isTrue();
            closeOnLoop(watch);
        }
    }

    @Test
    void shouldNotReadTheCounter() throws InterruptedException {
        try (Fd kick = newEventFd()) {
            Semaphore calls = new Semaphore(0);
            IoLoop.Watch watch = onLoop(() -> loop.onReadable(kick.number(), calls::release));
            EventFd.signal(kick.number());
            assertThat(acquired(calls)).isTrue();
            assertThat(EventFd.drain(kick.number())).isEqualTo(1);
            closeOnLoop(watch);
        }
    }

    @Test
    void shouldNotCallAnyMoreWhenClosedEvenByAnotherCallOfTheSameTick() {
        try (Fd one = newEventFd();
                Fd other = newEventFd()) {
            AtomicInteger calls = new AtomicInteger();
            IoLoop.Watch[] watches = new IoLoop.Watch[2];
            boolean _ = onLoop(() -> {
                watches[0] = loop.onReadable(one.number(), () -> {
                    calls.incrementAndGet();
                    watches[1].close();
                });
                watches[1] = loop.onReadable(other.number(), () -> {
                    calls.incrementAndGet();
                    watches[0].close();
                });
                EventFd.signal(one.number());
                EventFd.signal(other.number());
                return true;
            });
            nap(50);
            assertThat(calls).hasValue(1);
            closeOnLoop(watches[0]);
            closeOnLoop(watches[1]);
        }
    }

    @Test
    void shouldReleaseTheKernelsHoldWhenClosed() throws IOException {
        UnixSocket.Pair pair = UnixSocket.pair();
        Fd watched = pair.first().fd();
        Fd peer = pair.second().fd();
        IoLoop.Watch watch = onLoop(() -> loop.onReadable(watched.number(), () -> {}));
        closeOnLoop(watch);
        watched.close();
        // The peer sees the end only once nobody holds the other side any more, the ring included.
        try (PollSet set = new PollSet(1)) {
            set.add(peer.number(), Poll.POLLIN);
            assertThat(set.await(PATIENCE_SECONDS * 1000)).isEqualTo(1);
            assertThat(set.revents(0) & Poll.POLLHUP).isNotZero();
        }
        peer.close();
    }

    @Test
    void shouldNotSpinWhenADescriptorIsInError() throws IOException {
        UnixSocket.Pair pair = UnixSocket.pair();
        IoLoop.Watch watch = onLoop(() -> loop.onReadable(pair.first().fd().number(), () -> {}));
        pair.second().close();
        long before = loop.counters().ticks();
        nap(350);
        assertThat(loop.counters().ticks() - before).isLessThan(30);
        closeOnLoop(watch);
        pair.first().close();
    }

    @Test
    void shouldNotSpinWhenTheCounterIsFull() throws InterruptedException {
        try (Fd kick = newEventFd();
                NativeBlock most = NativeMemory.allocate(8, 8)) {
            Semaphore calls = new Semaphore(0);
            IoLoop.Watch watch = onLoop(() -> loop.onReadable(kick.number(), calls::release));
            NativeMemory.putLong(most.address(), -2L);
            assertThat(LinuxFile.write(kick.number(), most.address(), 8)).isEqualTo(8);
            assertThat(acquired(calls)).isTrue();
            long before = loop.counters().ticks();
            nap(200);
            assertThat(loop.counters().ticks() - before).isLessThan(20);
            closeOnLoop(watch);
        }
    }

    @Test
    void shouldNotSpinWhenTheDescriptorCannotBeWatched() {
        IoLoop.Watch watch = onLoop(() -> loop.onReadable(1_000_000, () -> {}));
        nap(50);
        LoopCounters before = loop.counters();
        nap(200);
        assertThat(loop.counters().ticks() - before.ticks()).isLessThan(10);
        closeOnLoop(watch);
    }

    @Test
    void shouldGoOnWatchingWhenTheHandlerThrows() throws InterruptedException {
        try (Fd kick = newEventFd()) {
            Semaphore calls = new Semaphore(0);
            IoLoop.Watch watch = onLoop(() -> loop.onReadable(kick.number(), () -> {
                calls.release();
                throw new IllegalStateException("a handler that fails for the test");
            }));
            for (int i = 0; i < 3; i++) {
                EventFd.signal(kick.number());
                assertThat(acquired(calls)).isTrue();
            }
            closeOnLoop(watch);
        }
    }

    @Test
    void shouldLeaveNothingBehindWhenWatchesComeAndGo() throws IOException {
        long before = OpenFiles.count();
        for (int i = 0; i < 2000; i++) {
            try (Fd kick = newEventFd()) {
                IoLoop.Watch watch = onLoop(() -> loop.onReadable(kick.number(), () -> {}));
                closeOnLoop(watch);
            }
        }
        assertThat(OpenFiles.count()).isLessThanOrEqualTo(before);
    }

    private void closeOnLoop(IoLoop.Watch watch) {
        boolean _ = onLoop(() -> {
            watch.close();
            watch.close();
            return true;
        });
    }

    /** Time passes on the loop's clock. */
    private void nap(long millis) {
        CompletableFuture<Boolean> over = new CompletableFuture<>();
        loop.execute(() -> loop.schedule(() -> over.complete(true), TimeUnit.MILLISECONDS.toNanos(millis)));
        assertThat(over.orTimeout(PATIENCE_SECONDS, TimeUnit.SECONDS).join()).isTrue();
    }
}
