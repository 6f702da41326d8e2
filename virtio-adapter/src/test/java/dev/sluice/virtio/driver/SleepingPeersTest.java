package dev.sluice.virtio.driver;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.linux.EventFd;
import dev.sluice.linux.Poll;
import dev.sluice.linux.PollSet;
import java.io.IOException;
import java.util.SplittableRandom;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Driver and device in two threads that both sleep whenever they can: a notification lost once hangs them. */
final class SleepingPeersTest {
    private static final int REQUESTS = 60_000;
    private static final int PATIENCE_MILLIS = 5_000;

    @ParameterizedTest
    @CsvSource({"true,true", "true,false", "false,true"})
    void shouldLoseNoNotificationWhenBothSidesSleep(boolean eventIdx, boolean callSet)
            throws IOException, InterruptedException, ExecutionException, TimeoutException {
        try (QueueFixture f = QueueFixture.create(QueueShape.of(8, 8, 512), true, eventIdx, 65_000)) {
            AtomicBoolean stop = new AtomicBoolean();
            CompletableFuture<Void> device = CompletableFuture.runAsync(() -> serve(f, stop));
            try {
                drive(f.queue, callSet);
            } finally {
                stop.set(true);
                f.queue.kick();
                device.get(10, TimeUnit.SECONDS);
            }
            assertThat(f.queue.inFlight()).isZero();
        }
    }

    private static void drive(DriverQueue queue, boolean callSet) {
        SplittableRandom random = new SplittableRandom(3);
        int submitted = 0;
        int reaped = 0;
        try (CallSet calls = new CallSet(queue)) {
            while (reaped < REQUESTS) {
                int wanted = random.nextInt(1, 4);
                for (int i = 0; i < wanted && submitted < REQUESTS; i++) {
                    if (queue.submit(BlkRequest.T_FLUSH, 0, 0) != DriverQueue.FULL) {
                        submitted++;
                    }
                }
                boolean _ = queue.publish();
                boolean woken = callSet ? calls.await(PATIENCE_MILLIS) : queue.await(PATIENCE_MILLIS);
                assertThat(woken).as("woken after %d of %d submitted", reaped, submitted).isTrue();
                reaped += queue.poll((slot, status, written) -> {});
            }
        }
    }

    private static void serve(QueueFixture f, AtomicBoolean stop) {
        try (PollSet kicks = new PollSet(1)) {
            int _ = kicks.add(f.queue.kickFd(), Poll.POLLIN);
            while (!stop.get()) {
                f.device.runAll();
                if (!f.device.wantKick()) {
                    int _ = kicks.await(PATIENCE_MILLIS);
                    long _ = EventFd.drain(f.queue.kickFd());
                }
            }
        }
    }
}
