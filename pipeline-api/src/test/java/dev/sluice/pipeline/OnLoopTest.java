package dev.sluice.pipeline;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sluice.linux.CapturedLog;
import dev.sluice.pipeline.testing.PollLoop;
import java.io.IOException;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

/** How other threads wait for a loop. */
final class OnLoopTest {
    @Test
    void shouldRunTheTaskAndThrowWhatItThrows() {
        try (PollLoop loop = PollLoop.start("loop")) {
            assertThat(OnLoop.<Boolean>call(loop, loop::inLoop)).isTrue();
            AtomicInteger runs = new AtomicInteger();
            OnLoop.run(loop, runs::incrementAndGet);
            assertThat(runs).hasValue(1);
            for (Throwable thrown : List.of(new IllegalArgumentException("ours"), new AssertionError("ours"))) {
                assertThatThrownBy(() -> OnLoop.run(loop, () -> sneak(thrown))).isSameAs(thrown);
            }
            IOException undeclared = new IOException("ours");
            assertThatThrownBy(() -> OnLoop.run(loop, () -> sneak(undeclared))).hasCause(undeclared);
        }
    }

    @SuppressWarnings("unchecked")
    private static <T extends Throwable> void sneak(Throwable thrown) throws T {
        throw (T) thrown;
    }

    /** A future whose waits end as the script says, the last with what it completed with. */
    private static final class Scripted extends CompletableFuture<Integer> {
        final Deque<Exception> script;
        long waitedSeconds;

        Scripted(Exception... script) {
            this.script = new ArrayDeque<>(List.of(script));
        }

        @Override
        public Integer get(long timeout, TimeUnit unit) throws InterruptedException, ExecutionException, TimeoutException {
            Exception next = script.poll();
            if (next instanceof TimeoutException late) {
                waitedSeconds += unit.toSeconds(timeout);
                throw late;
            }
            if (next instanceof InterruptedException interrupted) {
                throw interrupted;
            }
            return super.get(timeout, unit);
        }
    }

    @Test
    void shouldWaitOnAndSayHowLongWhenTheLoopIsBusy() {
        Scripted future = new Scripted(new TimeoutException(), new TimeoutException());
        future.complete(7);
        try (CapturedLog log = new CapturedLog()) {
            assertThat(OnLoop.await(future, "queue 3")).isEqualTo(7);
            assertThat(future.waitedSeconds).isEqualTo(120);
            assertThat(log.text()).contains("queue 3: not stopped after 60 s", "queue 3: not stopped after 120 s");
        }
        assertThat(Thread.interrupted()).isFalse();
    }

    @Test
    void shouldWaitOnAndStayInterruptedWhenInterrupted() {
        Scripted future = new Scripted(new InterruptedException());
        future.complete(7);
        assertThat(OnLoop.await(future, "queue 3")).isEqualTo(7);
        assertThat(Thread.interrupted()).isTrue();
    }

    @Test
    void shouldSayWhatCannotBeStoppedWhenTheLoopFails() {
        IOException cause = new IOException("gone");
        assertThatThrownBy(() -> OnLoop.await(CompletableFuture.failedFuture(cause), "queue 3"))
                .isInstanceOf(IllegalStateException.class)
                .hasMessage("queue 3 cannot be stopped")
                .hasCause(cause);
    }
}
