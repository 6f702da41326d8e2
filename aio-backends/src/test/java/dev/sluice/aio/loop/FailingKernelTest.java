package dev.sluice.aio.loop;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.concurrent.CountDownLatch;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** A loop whose own call fails with what nobody expected: it neither spins nor dies. */
@Timeout(120)
class FailingKernelTest {
    private static final int CALLS = 10;

    private static final class FailingLoop extends TickLoop {
        private final long[] calledNanos = new long[CALLS];
        private final CountDownLatch called = new CountDownLatch(CALLS);
        private final boolean opens;

        FailingLoop(boolean opens) {
            super("failing-kernel", true, 0);
            this.opens = opens;
        }

        @Override
        public String kind() {
            return "";
        }

        @Override
        public Watch onReadable(int fd, Runnable onReadable) {
            throw new UnsupportedOperationException("watches nothing");
        }

        @Override
        protected void openKernel() {
            if (!opens) {
                throw new IllegalStateException("no kernel (made up)");
            }
        }

        @Override
        protected void enterKernel(LoopWait wait) {
            int left = (int) called.getCount();
            if (left > 0) {
                calledNanos[CALLS - left] = System.nanoTime();
                called.countDown();
            }
            throw new IllegalStateException("EPERM (made up)");
        }

        @Override
        protected void wakeUp() {}

        @Override
        protected void closeKernel() {}
    }

    @Test
    void shouldBackOffAndRunTasksWhenTheKernelCannotBeEntered() throws InterruptedException {
        FailingLoop loop = new FailingLoop(true);
        assertThat(loop.startThread()).isNull();
        loop.called.await();
        long last = loop.calledNanos[CALLS - 1] - loop.calledNanos[CALLS - 2];
        assertThat(last).as("pause after nine failures").isGreaterThan(TimeUnit.MILLISECONDS.toNanos(64));
        CountDownLatch ran = new CountDownLatch(1);
        loop.execute(ran::countDown);
        ran.await();
        loop.close();
    }

    @Test
    void shouldReportWhatItsStartFailedWithAndTakeNothing() {
        FailingLoop loop = new FailingLoop(false);
        assertThat(loop.startThread()).isInstanceOf(IllegalStateException.class).hasMessage("no kernel (made up)");
        assertThatThrownBy(() -> loop.execute(() -> {})).isInstanceOf(RejectedExecutionException.class);
        loop.close();
    }

    /** Whoever closes a loop waits for its thread, and learns later that it was interrupted. */
    @Test
    void shouldWaitForItsThreadAlthoughTheCloserIsInterrupted() {
        FailingLoop loop = new FailingLoop(true);
        assertThat(loop.startThread()).isNull();
        Thread.currentThread().interrupt();
        loop.close();
        assertThat(Thread.interrupted()).isTrue();
        long ended = loop.counters().threadId();
        assertThat(Thread.getAllStackTraces().keySet()).noneMatch(thread -> thread.threadId() == ended);
        FailingLoop other = new FailingLoop(true);
        assertThat(other.startThread()).isNull();
        other.close();
        assertThat(Thread.interrupted()).isFalse();
        assertThat(other.counters().busyNanos()).as("counted from its start").isBetween(0L, TimeUnit.SECONDS.toNanos(60));
    }
}