package dev.sluice.aio.loop;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.concurrent.CountDownLatch;
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

        FailingLoop() {
            super("failing-kernel", true, 0);
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
        protected void openKernel() {}

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
        FailingLoop loop = new FailingLoop();
        assertThat(loop.startThread()).isNull();
        loop.called.await();
        long last = loop.calledNanos[CALLS - 1] - loop.calledNanos[CALLS - 2];
        assertThat(last).as("pause after nine failures").isGreaterThan(TimeUnit.MILLISECONDS.toNanos(64));
        CountDownLatch ran = new CountDownLatch(1);
        loop.execute(ran::countDown);
        ran.await();
        loop.close();
    }
}
