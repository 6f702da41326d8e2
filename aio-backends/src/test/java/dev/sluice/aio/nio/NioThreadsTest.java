package dev.sluice.aio.nio;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sluice.aio.loop.HandDrivenLoop;
import dev.sluice.linux.CapturedLog;
import dev.sluice.linux.Errno;
import dev.sluice.pipeline.BackendOptions;
import dev.sluice.pipeline.BlockOp;
import dev.sluice.pipeline.BlockRequest;
import dev.sluice.pipeline.BlockSink;
import dev.sluice.pipeline.SinkCounters;
import dev.sluice.pipeline.testing.TestIo;
import java.io.IOException;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** How requests get a thread and come back from it: slots, refusals, and the end of a sink and its loop. */
@Timeout(60)
class NioThreadsTest extends NioSinkRig {
    NioThreadsTest() throws IOException {}

    private static CallSeam heldBy(CountDownLatch hold) {
        return (_, result) -> {
            try {
                hold.await();
            } catch (InterruptedException stopped) {
                Thread.currentThread().interrupt();
            }
            return result;
        };
    }

    @Test
    void shouldTakeAsManyAsItHasSlots() throws IOException {
        BlockSink nio = open(false);
        assertThat(nio.capacity()).isEqualTo(CAPACITY);
        TestIo[] ios = new TestIo[CAPACITY];
        for (int i = 0; i < CAPACITY; i++) {
            assertThat(nio.inFlight()).isEqualTo(i);
            ios[i] = TestIo.read(i, 512);
            assertThat(nio.submit(request(ios[i]))).isTrue();
        }
        BlockRequest oneMore = request(TestIo.read(0, 512));
        assertThat(nio.submit(oneMore)).isFalse();
        assertThat(threadsAsked).as("not before the flush").isZero();
        nio.flush();
        assertThat(nio.counters()).isEqualTo(new SinkCounters(1, 4, 0, 0, 0));
        loop.tickUntil(() -> nio.inFlight() == 0);
        assertThat(nio.submit(oneMore)).isTrue();
        assertThat(nio.inFlight()).isEqualTo(1);
    }

    @Test
    void shouldAskForAThreadAgainAfterPausesThatDoubleTo128Milliseconds() throws IOException {
        BlockSink nio = open(false);
        threadRefusals = 10;
        TestIo io = submit(nio, TestIo.read(0, 512));
        nio.flush();
        nio.flush();
        int asked = 3;
        threadRefusals = 9;
        for (long pause : new long[] {1, 2, 4, 8, 16, 32, 64, 128, 128}) {
            loop.advance(pause * MILLIS - 1);
            loop.ticks(1);
            assertThat(threadsAsked).as("before %d ms", pause).isEqualTo(asked);
            loop.advance(1);
            loop.ticks(1);
            assertThat(threadsAsked).as("after %d ms", pause).isEqualTo(++asked);
            assertThat(nio.counters()).isEqualTo(new SinkCounters(0, 0, asked, 0, 0));
        }
        loop.advance(128 * MILLIS);
        loop.ticks(1);
        loop.tickUntil(io::completed);
        assertThat(io.result()).isEqualTo(512);
    }

    @Test
    void shouldEndTheLoopOnlyAfterItsRequestsAreBack() throws Exception {
        BlockSink nio = open(false);
        CountDownLatch hold = new CountDownLatch(1);
        seam = heldBy(hold);
        TestIo io = submit(nio, TestIo.read(0, 512));
        nio.close();
        BlockRequest late = request(TestIo.read(0, 512));
        assertThat(nio.submit(late)).isFalse();
        late.complete(-Errno.EIO);
        loop.close();
        loop.ticks(3);
        assertThat(loop.kernelClosed()).isFalse();
        hold.countDown();
        loop.tickUntil(io::completed);
        assertThat(io.result()).isEqualTo(512);
        assertThat(loop.tick()).isFalse();
    }

    @Test
    void shouldMakeTheCallsOfAClosingSinkOnItsLoopIfThereIsNoThread() throws IOException {
        BlockSink nio = open(false);
        threadRefusals = Integer.MAX_VALUE;
        TestIo io = submit(nio, TestIo.read(0, 512));
        loop.ticks(1);
        assertThat(io.completed()).isFalse();
        nio.close();
        assertThat(io.completed()).as("never inside a flush").isFalse();
        loop.ticks(1);
        assertThat(io.result()).isEqualTo(512);
        assertThat(nio.counters().operations()).isEqualTo(1);
        loop.close();
        assertThat(loop.tick()).isTrue();
        assertThat(loop.tick()).as("no request is expected any more").isFalse();
    }

    @Test
    void shouldCompleteARequestThatCloseCouldNotWaitFor() throws Exception {
        BlockSink nio = open(false);
        CountDownLatch hold = new CountDownLatch(1);
        seam = heldBy(hold);
        TestIo late = TestIo.read(0, 512);
        assertThat(nio.submit(request(late))).isTrue();
        nio.flush();
        try (CapturedLog logged = new CapturedLog()) {
            loop.close();
            loop.ticks(2);
            loop.advance(10_000 * MILLIS);
            loop.ticks(2);
            assertThat(logged.containing("by-hand: 1 requests did not come back from their threads in 10 s; the loop ends when they do")).hasSize(1);
            assertThat(late.completed()).isFalse();
            hold.countDown();
            loop.tickUntil(late::completed);
            assertThat(late.result()).isEqualTo(512);
            assertThat(nio.inFlight()).isZero();
            assertThat(loop.tick()).as("the loop ends").isFalse();
        }
    }

    /** Nobody closes the sink, and no thread can be had: what waits for one is done on the loop's thread when the loop closes. */
    @Test
    void shouldCompleteWhatWaitsForAThreadWhenTheLoopCloses() throws Exception {
        threadRefusals = Integer.MAX_VALUE;
        BlockSink nio = open(false);
        TestIo read = TestIo.read(0, 512);
        assertThat(nio.submit(request(read))).isTrue();
        nio.flush();
        assertThat(nio.counters().retries()).isEqualTo(1);
        loop.end();
        assertThat(read.result()).isEqualTo(512);
    }

    /** The mailbox has it, and then waking the loop finds no memory. */
    @Test
    void shouldBringAResultBackOnceHoweverOftenPostingItFails() throws IOException {
        BlockSink nio = open(false);
        TestIo io = TestIo.read(0, 512);
        long[] tookNanos = {0};
        loop.inKernel(() -> {
            loop.failWakeUps(200);
            long began = System.nanoTime();
            submit(nio, io);
            while (loop.wakeUps() < 201 && tookNanos[0] < TimeUnit.SECONDS.toNanos(30)) {
                tookNanos[0] = System.nanoTime() - began;
                Thread.onSpinWait();
            }
        });
        loop.ticks(2);
        // Not in the kernel: what is thrown there is the loop's to log.
        assertThat(loop.wakeUps()).isEqualTo(201);
        assertThat(tookNanos[0]).as("it waits between tries").isGreaterThanOrEqualTo(200 * MILLIS);
        assertThat(io.completions()).isEqualTo(1);
        assertThat(nio.inFlight()).isZero();
    }

    /** A FLUSH whose guest's answer throws. */
    private static final class Throwing extends BlockRequest {
        Throwing(HandDrivenLoop loop) {
            super(loop, 0, 0);
            parsed(BlockOp.FLUSH, 0, 0, 0, 0);
        }

        @Override
        protected void completed(int result) {
            throw new IllegalStateException("made up");
        }
    }

    @Test
    void shouldCompleteTheOthersIfOneCompletionThrows() throws IOException {
        BlockSink nio = open(false);
        try (CapturedLog logged = new CapturedLog()) {
            assertThat(nio.submit(new Throwing(loop))).isTrue();
            assertThat(result(nio, TestIo.read(0, 512))).isEqualTo(512);
            assertThat(nio.inFlight()).isZero();
            assertThat(logged.containing("by-hand: completing a request failed")).hasSize(1);
        }
    }

    @Test
    void shouldTellItsBackendOnceThatItIsClosed() throws IOException {
        BlockSink nio = open(false);
        BlockSink other = backend().openSink(loop);
        backend().close();
        nio.close();
        nio.close();
        loop.ticks(1);
        // The image is open as long as one sink is.
        assertThat(result(other, TestIo.read(0, 512))).isEqualTo(512);
        assertThatThrownBy(() -> backend().openSink(loop)).isInstanceOf(IllegalStateException.class).hasMessageContaining("is closed");
        other.close();
        NioImage.open(BackendOptions.of(path)).close();
    }
}
