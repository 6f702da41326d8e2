package dev.sluice.virtio.driver;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.linux.EventFd;
import dev.sluice.linux.Poll;
import dev.sluice.linux.PollSet;
import dev.sluice.pipeline.testing.Patience;
import java.io.IOException;
import java.util.SplittableRandom;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Driver and device in two threads that go on only when they are notified: a notification lost once is found by a wait
 * that takes too long, though the work is there.
 */
final class SleepingPeersTest {
    private static final int SLEEPING_REQUESTS = 40_000;
    private static final long SPINNING_NANOS = 1_500_000_000L;
    private static final int PATIENCE_MILLIS = Patience.millis(20_000);

    @ParameterizedTest
    @CsvSource({"true,true", "true,false", "false,true"})
    void shouldLoseNoNotificationWhenBothSidesSleep(boolean eventIdx, boolean callSet)
            throws IOException, InterruptedException, ExecutionException, TimeoutException {
        try (QueueFixture f = QueueFixture.create(QueueShape.of(8, 8, 512), true, eventIdx, 65_000)) {
            AtomicBoolean stop = new AtomicBoolean();
            CompletableFuture<Void> device = CompletableFuture.runAsync(() -> serveSleeping(f, stop));
            try {
                driveSleeping(f.queue, callSet);
            } finally {
                stop.set(true);
                f.queue.kick();
                device.get(Patience.seconds(60), TimeUnit.SECONDS);
            }
            assertThat(f.queue.inFlight()).isZero();
        }
    }

    /** Without the system calls of sleeping both sides meet within nanoseconds: what the full fences are for. */
    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void shouldLoseNoNotificationWhenBothSidesSpinOnTheirEventfd(boolean driverPolls)
            throws IOException, InterruptedException, ExecutionException, TimeoutException {
        try (QueueFixture f = QueueFixture.create(QueueShape.of(8, 8, 512), true, true, 65_000)) {
            AtomicBoolean stop = new AtomicBoolean();
            CompletableFuture<Void> device = CompletableFuture.runAsync(() -> serveSpinning(f, stop, driverPolls));
            try {
                driveSpinning(f.queue, driverPolls);
            } finally {
                stop.set(true);
                device.get(Patience.seconds(60), TimeUnit.SECONDS);
            }
        }
    }

    private static void driveSleeping(DriverQueue queue, boolean callSet) {
        SplittableRandom random = new SplittableRandom(3);
        int submitted = 0;
        int reaped = 0;
        try (CallSet calls = new CallSet(queue)) {
            while (reaped < SLEEPING_REQUESTS) {
                int wanted = random.nextInt(1, 4);
                for (int i = 0; i < wanted && submitted < SLEEPING_REQUESTS; i++) {
                    if (queue.submit(BlkRequest.T_FLUSH, 0, 0) != DriverQueue.FULL) {
                        submitted++;
                    }
                }
                boolean _ = queue.publish();
                long start = System.nanoTime();
                boolean woken = callSet ? calls.await(PATIENCE_MILLIS) : queue.await(PATIENCE_MILLIS);
                assertThat(woken && System.nanoTime() - start < PATIENCE_MILLIS * 900_000L)
                        .as("called after %d of %d submitted", reaped, submitted)
                        .isTrue();
                reaped += queue.poll((slot, status, written) -> {});
            }
        }
    }

    private static void serveSleeping(QueueFixture f, AtomicBoolean stop) {
        try (PollSet kicks = new PollSet(1)) {
            int _ = kicks.add(f.queue.kickFd(), Poll.POLLIN);
            while (!stop.get()) {
                f.device.runAll();
                if (!f.device.wantKick()) {
                    int ready = kicks.await(2 * PATIENCE_MILLIS);
                    assertThat(ready).as("kicked").isEqualTo(1);
                    long _ = EventFd.drain(f.queue.kickFd());
                }
            }
        }
    }

    private static void driveSpinning(DriverQueue queue, boolean polls) {
        SplittableRandom random = new SplittableRandom(5);
        long end = System.nanoTime() + SPINNING_NANOS;
        while (System.nanoTime() - end < 0) {
            int _ = queue.submit(BlkRequest.T_FLUSH, 0, 0);
            pause(random);
            boolean _ = queue.publish();
            long patience = System.nanoTime() + PATIENCE_MILLIS * 1_000_000L;
            if (!polls) {
                pause(random);
                boolean ready = queue.armCall(1);
                while (!ready) {
                    ready = EventFd.drain(queue.callFd()) > 0;
                    assertThat(System.nanoTime() - patience).as("called").isNegative();
                }
                queue.disarmCall();
            }
            while (queue.poll((slot, status, written) -> {}) == 0) {
                assertThat(System.nanoTime() - patience).as("served").isNegative();
            }
        }
    }

    private static void serveSpinning(QueueFixture f, AtomicBoolean stop, boolean sleeps) {
        SplittableRandom random = new SplittableRandom(6);
        while (!stop.get()) {
            f.device.takeAll();
            pause(random);
            f.device.runAll();
            if (sleeps) {
                pause(random);
                boolean ready = f.device.wantKick();
                while (!ready && !stop.get()) {
                    ready = EventFd.drain(f.queue.kickFd()) > 0;
                }
            }
        }
    }

    private static void pause(SplittableRandom random) {
        for (int i = random.nextInt(64); i > 0; i--) {
            Thread.onSpinWait();
        }
    }
}
