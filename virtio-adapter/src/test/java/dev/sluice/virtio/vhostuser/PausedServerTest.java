package dev.sluice.virtio.vhostuser;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.pipeline.FrontEnd;
import dev.sluice.pipeline.testing.Patience;
import dev.sluice.virtio.driver.BlockDriver;
import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.util.Arrays;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

/** A front end that is paused: its driver waits, loses nothing and need not be reset. */
class PausedServerTest {
    private static final int BLOCK_BYTES = 4096;
    private static final Duration LIMIT = Duration.ofSeconds(Patience.seconds(20));

    private static byte[] pattern(int value) {
        byte[] bytes = new byte[BLOCK_BYTES];
        Arrays.fill(bytes, (byte) value);
        return bytes;
    }

    private static CompletableFuture<Void> write(BlockDriver driver, int queue, int value) {
        CompletableFuture<Void> written = new CompletableFuture<>();
        Thread.ofPlatform().daemon().start(() -> {
            try {
                driver.disk(queue).write((long) value * BLOCK_BYTES, MemorySegment.ofArray(pattern(value)));
                written.complete(null);
            } catch (Throwable failed) {
                written.completeExceptionally(failed);
            }
        });
        return written;
    }

    @Test
    void shouldLetADriverWaitUntilItIsResumed() throws Exception {
        try (ServerFixture fixture = ServerFixture.start(2, 2, builder -> builder); BlockDriver driver = fixture.open(2)) {
            write(driver, 0, 1).get(LIMIT.toSeconds(), TimeUnit.SECONDS);
            assertThat(fixture.server.drain(LIMIT)).as("drained").isTrue();
            assertThat(fixture.server.describe()).isEqualTo(new FrontEnd.Description("vhost-user-blk", fixture.socket.toString(), 1, true));
            long taken = fixture.events.taken.get();
            long kicked = fixture.events.kicks.get();

            CompletableFuture<Void> first = write(driver, 0, 2);
            CompletableFuture<Void> second = write(driver, 1, 3);
            ServerFixture.await("the kicks of both queues", () -> fixture.events.kicks.get() >= kicked + 2);
            fixture.loops.forEach(loop -> loop.run(() -> {}));
            assertThat(first).isNotDone();
            assertThat(second).isNotDone();
            assertThat(fixture.events.taken).hasValue(taken);

            fixture.server.resume();
            CompletableFuture.allOf(first, second).get(LIMIT.toSeconds(), TimeUnit.SECONDS);
            assertThat(fixture.server.describe().paused()).isFalse();
            byte[] read = new byte[BLOCK_BYTES];
            driver.disk(1).read(2 * BLOCK_BYTES, MemorySegment.ofArray(read));
            assertThat(read).isEqualTo(pattern(2));
        }
    }

    @Test
    void shouldPauseTheQueuesOfAFrontEndThatConnectsMeanwhile() throws Exception {
        try (ServerFixture fixture = ServerFixture.start(1)) {
            assertThat(fixture.server.pause()).as("nothing is in flight where nobody is connected").isCompleted();
            try (BlockDriver driver = fixture.open(1)) {
                CompletableFuture<Void> write = write(driver, 0, 1);
                ServerFixture.await("the kick", () -> fixture.events.kicks.get() >= 1);
                assertThat(fixture.events.taken).hasValue(0);
                assertThat(write).isNotDone();
                fixture.server.resume();
                write.get(LIMIT.toSeconds(), TimeUnit.SECONDS);
            }
        }
    }

    @Test
    void shouldCancelAPauseThatIsResumedBeforeItsRequestsHaveCompleted() throws Exception {
        try (ServerFixture fixture = ServerFixture.start(1); BlockDriver driver = fixture.open(1)) {
            fixture.loops.getFirst().run(() -> fixture.sink(0).hold());
            CompletableFuture<Void> write = write(driver, 0, 1);
            ServerFixture.await("the request", () -> fixture.events.taken.get() == 1);
            CompletableFuture<Void> pausing = fixture.server.pause();
            assertThat(fixture.server.drain(Duration.ofMillis(50))).as("drained with a request in the sink").isFalse();
            fixture.server.resume();
            ServerFixture.await("the end of the pause", pausing::isCompletedExceptionally);
            fixture.loops.getFirst().run(() -> fixture.sink(0).releaseAll());
            write.get(LIMIT.toSeconds(), TimeUnit.SECONDS);
            assertThat(fixture.server.drain(LIMIT)).isTrue();
        }
    }

    @Test
    void shouldDisconnectAndCloseWhileItIsPaused() throws Exception {
        try (ServerFixture fixture = ServerFixture.start(1)) {
            try (BlockDriver driver = fixture.open(1)) {
                write(driver, 0, 1).get(LIMIT.toSeconds(), TimeUnit.SECONDS);
                assertThat(fixture.server.drain(LIMIT)).isTrue();
            }
            ServerFixture.await("disconnect", () -> !fixture.server.state().connected());
            assertThat(fixture.server.describe().connections()).isZero();
        }
    }
}
