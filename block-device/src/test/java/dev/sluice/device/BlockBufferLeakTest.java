package dev.sluice.device;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.Test;

/** A buffer that was closed is never reported as forgotten, however eager the collector is. */
class BlockBufferLeakTest {
    private static final int THREADS = 8;
    private static final int BUFFERS_A_THREAD = 150_000;

    @Test
    void shouldNotReportABufferThatIsBeingClosed() throws Exception {
        BlockBufferPool pool = new BlockBufferPool(THREADS, 512, 512, LeakDetection.ON, memory -> {});
        AtomicBoolean done = new AtomicBoolean();
        Thread collector = Thread.ofPlatform().start(() -> {
            while (!done.get()) {
                System.gc();
            }
        });
        List<Thread> takers = new ArrayList<>();
        for (int i = 0; i < THREADS; i++) {
            takers.add(Thread.ofPlatform().start(() -> takeAndClose(pool)));
        }
        for (Thread taker : takers) {
            taker.join();
        }
        done.set(true);
        collector.join();
        assertThat(pool.leaks()).isZero();
        assertThat(pool.available()).isEqualTo(THREADS);
        pool.close();
        assertThat(pool.leaks()).isZero();
    }

    private static void takeAndClose(BlockBufferPool pool) {
        for (int i = 0; i < BUFFERS_A_THREAD; i++) {
            BlockBuffer taken = pool.tryTake();
            if (taken != null) {
                taken.close();
            }
        }
    }
}
