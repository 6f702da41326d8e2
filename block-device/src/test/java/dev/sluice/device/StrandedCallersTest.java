package dev.sluice.device;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.pipeline.testing.Patience;
import dev.sluice.pipeline.testing.PollLoop;
import dev.sluice.pipeline.testing.SimulatedBackend;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.AsynchronousFileChannel;
import java.nio.channels.SeekableByteChannel;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

/** Nobody who waits for anything of a device is left behind when it closes, however many they are. */
class StrandedCallersTest {
    private static final int PATIENCE_SECONDS = Patience.seconds(60);

    private final PollLoop loop = PollLoop.start("stranded");
    private final SimulatedBackend backend = SimulatedBackend.ofSize(1 << 20);
    private final BlockDevice device = BlockDevice.open(backend, List.of(loop), BlockDeviceOptions.builder().buffers(4, 4096).build());

    private void closeAll() {
        device.close();
        assertThat(device.buffers().leaks()).as("buffers still with callers").isZero();
        loop.close();
        backend.close();
    }

    @Test
    void shouldEndEveryPartialWriteOfAChannelWhenItCloses() throws Exception {
        int callers = 300;
        loop.run(() -> backend.sinkOf(loop).hold());
        CountDownLatch started = new CountDownLatch(callers);
        List<Throwable> failures = Collections.synchronizedList(new ArrayList<>());
        List<Thread> threads = new ArrayList<>();
        for (int i = 0; i < callers; i++) {
            long position = i * 700L;
            threads.add(Thread.ofPlatform().start(() -> {
                try (SeekableByteChannel channel = device.channel()) {
                    channel.position(position);
                    started.countDown();
                    while (true) {
                        int _ = channel.write(ByteBuffer.allocate(100));
                    }
                } catch (IOException refused) {
                    failures.add(refused);
                }
            }));
        }
        assertThat(started.await(PATIENCE_SECONDS, TimeUnit.SECONDS)).isTrue();
        for (Thread thread : threads) {
            while (thread.getState() == Thread.State.RUNNABLE) {
                Thread.onSpinWait();
            }
        }
        device.shutdown().subscribe();
        loop.run(() -> backend.sinkOf(loop).releaseAll());
        closeAll();
        for (Thread thread : threads) {
            assertThat(thread.join(Duration.ofSeconds(PATIENCE_SECONDS))).as("a caller that still waits").isTrue();
        }
        assertThat(failures).hasSize(callers).allSatisfy(failure -> assertThat(failure).isInstanceOf(BlockIoException.class));
    }

    @Test
    void shouldEndEveryAsynchronousCallWhenItCloses() throws Exception {
        int calls = 5000;
        loop.run(() -> backend.sinkOf(loop).hold());
        List<Future<Integer>> outcomes = new ArrayList<>();
        AsynchronousFileChannel channel = device.asyncChannel();
        for (int i = 0; i < calls; i++) {
            ByteBuffer some = ByteBuffer.allocate(100);
            outcomes.add(i % 3 == 0 ? channel.read(some, i) : channel.write(some, i * 3L));
        }
        device.shutdown().subscribe();
        loop.run(() -> backend.sinkOf(loop).releaseAll());
        closeAll();
        int refused = 0;
        for (Future<Integer> outcome : outcomes) {
            try {
                assertThat(outcome.get(PATIENCE_SECONDS, TimeUnit.SECONDS)).isEqualTo(100);
            } catch (ExecutionException failed) {
                assertThat(failed).hasCauseInstanceOf(BlockIoException.class);
                refused++;
            }
        }
        assertThat(refused).isPositive();
    }
}
