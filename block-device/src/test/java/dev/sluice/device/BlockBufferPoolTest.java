package dev.sluice.device;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.foreign.MemorySegment;
import java.lang.ref.Cleaner;
import java.util.Objects;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

class BlockBufferPoolTest {

    private static BlockBuffer take(BlockBufferPool pool) {
        return Objects.requireNonNull(pool.tryTake());
    }

    @Test
    void shouldLendAlignedBuffersUntilAllAreOut() {
        BlockBufferPool pool = new BlockBufferPool(2, 8192, 4096, LeakDetection.ON, memory -> {});
        BlockBuffer first = take(pool);
        BlockBuffer second = take(pool);
        assertThat(pool.tryTake()).isNull();
        assertThat(MemorySegment.ofBuffer(first.bytes()).address() % 4096).isZero();
        assertThat(MemorySegment.ofBuffer(second.bytes()).address() % 4096).isZero();
        assertThat(first.bytes().capacity()).isEqualTo(8192);
        first.close();
        first.close();
        assertThat(pool.available()).isEqualTo(1);
        assertThatThrownBy(first::bytes).isInstanceOf(IllegalStateException.class);
        second.close();
        pool.close();
        assertThat(pool.leaks()).isZero();
    }

    @Test
    void shouldServeThoseWhoWaitInOrderAndPassOverThoseWhoHaveGone() {
        BlockBufferPool pool = new BlockBufferPool(1, 512, 512, LeakDetection.OFF, memory -> {});
        BlockBuffer only = take(pool);
        DeviceRig.Outcome<BlockBuffer> gone = DeviceRig.start(pool.take());
        DeviceRig.Outcome<BlockBuffer> first = DeviceRig.start(pool.take());
        DeviceRig.Outcome<BlockBuffer> second = DeviceRig.start(pool.take());
        gone.cancel();
        only.close();
        first.assertCompleted();
        assertThat(gone.values).isEmpty();
        assertThat(second.ended()).isFalse();
        first.values.getFirst().close();
        second.assertCompleted();
        second.values.getFirst().close();
        pool.close();
    }

    @Test
    void shouldReportABufferThatWasForgotten() throws Exception {
        BlockBufferPool pool = new BlockBufferPool(2, 512, 512, LeakDetection.TRACE, memory -> {});
        CountDownLatch collected = forget(pool);
        for (int i = 0; i < 100 && collected.getCount() > 0; i++) {
            System.gc();
            boolean _ = collected.await(100, TimeUnit.MILLISECONDS);
        }
        assertThat(collected.getCount()).as("the collector has found it").isZero();
        for (int i = 0; i < 100 && pool.leaks() == 0; i++) {
            System.gc();
            Thread.onSpinWait();
        }
        assertThat(pool.leaks()).isEqualTo(1);
        assertThat(pool.available()).as("its view may still be in use").isEqualTo(1);
        pool.close();
    }

    /** Frames of its own, so that nothing on the test's stack holds the buffer. */
    private static CountDownLatch forget(BlockBufferPool pool) {
        CountDownLatch collected = new CountDownLatch(1);
        var _ = Cleaner.create().register(take(pool), collected::countDown);
        return collected;
    }

    @Test
    void shouldFailThoseWhoWaitWhenItIsClosed() {
        BlockBufferPool pool = new BlockBufferPool(1, 512, 512, LeakDetection.OFF, memory -> {});
        BlockBuffer out = take(pool);
        DeviceRig.Outcome<BlockBuffer> waiting = DeviceRig.start(pool.take());
        pool.close();
        assertThat(waiting.failure(BlockIoException.class)).hasMessageContaining("closed");
        out.close();
    }
}
