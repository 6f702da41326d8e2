package dev.sluice.aio.loop;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sluice.linux.CapturedLog;
import dev.sluice.pipeline.IoLoop;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** How a loop ends, by hand: what it waits for, for how long, and what it still does. */
@Timeout(60)
class LoopEndTest extends NotedOnLoop {
    @Test
    void shouldEndOnceNothingIsBusyAndNoTaskIsExpected() {
        HandDrivenLoop loop = new HandDrivenLoop();
        Handle handle = new Handle("sink");
        loop.add(handle);
        handle.busy = true;
        loop.expectTasks(2);
        try (CapturedLog logged = new CapturedLog()) {
            loop.close();
            loop.close();
            loop.ticks(1);
            assertThat(order).as("once, however often it is closed").containsExactly("ending sink");
            assertThat(logged.containing("closing a sink or watch failed")).hasSize(1);
        }
        assertThat(loop.deadlineNanos()).isZero();
        loop.submissionsWait(false);
        int entries = loop.leaves().size();
        loop.ticks(1);
        assertThat(loop.leaves()).as("a loop that closes enters in every tick").hasSize(entries + 1);
        assertThat(loop.deadlineNanos()).as("it looks at its limit").isBetween(1L, loop.nowNanos() + 10_000 * MILLIS);
        assertThatThrownBy(() -> loop.add(new Handle("late"))).isInstanceOf(IllegalStateException.class).hasMessage("by-hand is closing");
        handle.busy = false;
        loop.ticks(1);
        loop.expectTasks(-2);
        loop.execute(() -> order.add("last task"));
        loop.atTickEnd(() -> order.add("last hook"));
        long ticks = loop.counters().ticks();
        long tasks = loop.counters().tasks();
        assertThat(loop.kernelClosed()).isFalse();
        assertThat(loop.tick()).isFalse();
        assertThat(order).endsWith("last task", "last hook");
        assertThat(loop.kernelClosed()).isTrue();
        assertThat(loop.counters().ticks()).isEqualTo(ticks + 1);
        assertThat(loop.counters().tasks()).isEqualTo(tasks + 1);
        assertThatThrownBy(() -> loop.execute(() -> {})).isInstanceOf(RejectedExecutionException.class).hasMessage("by-hand has ended");
    }

    @Test
    void shouldEndWithoutItsRequestsAfterTenSeconds() {
        HandDrivenLoop loop = new HandDrivenLoop();
        Handle handle = new Handle("sink");
        loop.add(handle);
        handle.busy = true;
        loop.closeFails(new IllegalStateException("made up"));
        try (CapturedLog logged = new CapturedLog()) {
            loop.close();
            loop.ticks(1);
            loop.advance(10_000 * MILLIS - 1);
            loop.ticks(1);
            assertThat(logged.containing("requests did not come back from the kernel in 10 s")).isEmpty();
            loop.advance(1);
            assertThat(loop.tick()).isFalse();
            assertThat(logged.containing("by-hand: requests did not come back from the kernel in 10 s; ending without them")).hasSize(1);
        }
        HandDrivenLoop other = new HandDrivenLoop();
        other.closeFails(new IllegalStateException("made up"));
        try (CapturedLog logged = new CapturedLog()) {
            other.end();
            assertThat(logged.containing("closing the loop failed")).hasSize(1);
        }
    }

    /** Kicks may wait for a busy loop; the requests that a closing one waits for may not. */
    @Test
    void shouldEnterTheKernelInEachTickWhenItClosesAlthoughThereAreTurns() {
        HandDrivenLoop loop = new HandDrivenLoop();
        loop.submissionsWait(false);
        Handle handle = new Handle("sink");
        handle.busy = true;
        loop.add(handle);
        loop.requestTurn(turn("turn", true));
        loop.ticks(1);
        int entries = loop.leaves().size();
        loop.ticks(1);
        assertThat(loop.leaves()).as("turns alone need no system call").hasSize(entries);
        loop.close();
        loop.ticks(1);
        entries = loop.leaves().size();
        loop.ticks(3);
        assertThat(loop.leaves()).hasSize(entries + 3);
    }

    @Test
    void shouldRunOnceWhatIsToRunWhenItClosesUnlessThatWasTakenBack() {
        HandDrivenLoop loop = new HandDrivenLoop();
        IoLoop.Watch _ = loop.onClose(() -> order.add("hook"));
        loop.onClose(() -> order.add("taken back")).close();
        loop.ticks(1);
        assertThat(order).isEmpty();
        loop.end();
        assertThat(order).containsExactly("hook");
    }

    /** Notes what the thread that closes it does while it closes its kernel. */
    private static final class SlowToClose extends TickLoop {
        private final AtomicReference<Thread> closer = new AtomicReference<>();
        private volatile Thread.@Nullable State closerWas;

        SlowToClose() {
            super("slow-to-close", true, 0);
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
            LockSupport.parkNanos(MILLIS);
        }

        @Override
        protected void wakeUp() {}

        @Override
        protected void closeKernel() {
            Thread.State state;
            do {
                LockSupport.parkNanos(MILLIS);
                state = closer.get().getState();
            } while (state != Thread.State.WAITING && state != Thread.State.TERMINATED);
            closerWas = state;
        }
    }

    @Test
    void shouldReturnFromCloseOnlyWhenItsKernelIsClosed() throws InterruptedException {
        SlowToClose loop = new SlowToClose();
        assertThat(loop.startThread()).isNull();
        Thread closer = Thread.ofPlatform().unstarted(loop::close);
        loop.closer.set(closer);
        closer.start();
        closer.join();
        assertThat(loop.closerWas).isEqualTo(Thread.State.WAITING);
    }
}
