package dev.sluice.aio.loop;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sluice.linux.CapturedLog;
import dev.sluice.pipeline.LoopCounters;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Ticks by hand and by a clock that stands still: what a loop does in which order, when it enters the kernel, and when it may wait there. */
@Timeout(60)
class TickLoopTest extends NotedOnLoop {
    // ---- a tick

    @Test
    void shouldActOnCompletionsThenTasksThenTimersThenQueuesThenTurnsThenHooks() {
        HandDrivenLoop loop = HandDrivenLoop.spinning(POLL_MAX_NANOS);
        Handle handle = new Handle("sink");
        loop.add(handle);
        loop.inKernel(() -> {
            order.add("kernel");
            loop.completionSeen(handle);
            loop.completionSeen(handle);
        });
        loop.atTickEnd(() -> {
            order.add("hook");
            loop.atTickEnd(() -> order.add("hook of hook"));
        });
        loop.requestTurn(turn("turn", false));
        assertThat(loop.addPoller(new Ring(loop, turn("never", false)))).isTrue();
        loop.schedule(() -> order.add("timer"), 0);
        loop.schedule(() -> order.add("late timer"), 1);
        loop.schedule(() -> order.add("early timer"), -5);
        loop.execute(() -> order.add("task"));
        loop.ticks(1);
        assertThat(order).containsExactly("kernel", "drain sink", "task", "timer", "early timer", "look", "turn", "hook", "hook of hook");
        LoopCounters counters = loop.counters();
        assertThat(counters.ticks()).isEqualTo(1);
        assertThat(counters.tasks()).isEqualTo(1);
        assertThat(loop.tickNanos()).isEqualTo(loop.nowNanos());
        assertThat(counters.completions()).isEqualTo(2);
        assertThat(counters.threadId()).isEqualTo(Thread.currentThread().threadId());
        assertThat(loop.name()).isEqualTo("by-hand");
        order.clear();
        loop.advance(1);
        loop.ticks(1);
        assertThat(order).containsExactly("late timer", "look");
    }

    @Test
    void shouldRunEachTurnOnceATickAsLongAsThereIsMore() {
        HandDrivenLoop loop = new HandDrivenLoop();
        loop.requestTurn(turn("more", true));
        loop.requestTurn(turn("done", false));
        loop.ticks(3);
        assertThat(order).containsExactly("more", "done", "more", "more");
        assertThat(loop.leaves()).as("it never waits while there is more").containsExactly(false, false, false);
    }

    @Test
    void shouldLeaveTasksAboveTheLimitToTheNextTick() {
        HandDrivenLoop loop = new HandDrivenLoop();
        for (int i = 0; i < 5000; i++) {
            loop.execute(() -> order.add("task"));
        }
        loop.ticks(1);
        assertThat(order).hasSize(4096);
        assertThat(loop.counters().tasks()).isEqualTo(4096);
        loop.ticks(1);
        assertThat(order).hasSize(5000);
    }

    @Test
    void shouldCountWhatItIsToldOf() {
        HandDrivenLoop loop = new HandDrivenLoop();
        loop.submissionAdded();
        loop.entered(3);
        loop.completionsSeen(5);
        loop.calledDirectly();
        LoopCounters counters = loop.counters();
        assertThat(counters.submissions()).isEqualTo(2);
        assertThat(counters.enters()).isEqualTo(4);
        assertThat(counters.completions()).isEqualTo(6);
    }

    @Test
    void shouldCountAsBusyWhatIsNotWaiting() {
        HandDrivenLoop loop = new HandDrivenLoop();
        loop.ticks(1);
        long before = loop.counters().busyNanos();
        loop.execute(() -> loop.advance(7 * MICROS));
        loop.ticks(1);
        loop.nextWaits(MILLIS);
        loop.ticks(1);
        assertThat(loop.leaves().getLast()).isTrue();
        assertThat(loop.counters().busyNanos() - before).isEqualTo(7 * MICROS);
        loop.requestTurn(turn("turn", false));
        loop.nextWaits(3 * MICROS);
        loop.ticks(2);
        assertThat(loop.counters().busyNanos() - before).as("an entry without leave to wait is work").isEqualTo(10 * MICROS);
    }

    @Test
    void shouldLogAndOutliveWhatHandlesTurnsHooksTimersAndTasksThrow() {
        for (String kind : List.of("a completion", "a task", "a timer", "a turn", "a tick-end hook")) {
            HandDrivenLoop loop = new HandDrivenLoop();
            Runnable failure = () -> {
                throw new AssertionError("made up");
            };
            Handle handle = new Handle("sink");
            handle.throwsAtDrain = true;
            loop.add(handle);
            switch (kind) {
                case "a completion" -> loop.completionSeen(handle);
                case "a task" -> loop.execute(failure);
                case "a timer" -> loop.schedule(failure, 0);
                case "a turn" -> loop.requestTurn(() -> {
                    throw new AssertionError("made up");
                });
                default -> loop.atTickEnd(failure::run);
            }
            try (CapturedLog logged = new CapturedLog()) {
                loop.ticks(1);
                assertThat(logged.containing("by-hand: " + kind + " failed; the loop continues")).as(kind).hasSize(1);
                loop.execute(() -> order.add("alive"));
                loop.ticks(1);
            }
        }
        assertThat(order.stream().filter("alive"::equals)).hasSize(5);
    }

    // ---- the kernel

    @Test
    void shouldWaitOnlyIfThereIsNothingToDo() {
        HandDrivenLoop loop = new HandDrivenLoop();
        loop.ticks(1);
        loop.execute(() -> {});
        loop.ticks(1);
        loop.schedule(() -> {}, 5);
        loop.ticks(1);
        assertThat(loop.deadlineNanos()).isEqualTo(loop.nowNanos() + 5);
        loop.advance(5);
        loop.ticks(1);
        loop.ticks(1);
        assertThat(loop.leaves()).containsExactly(true, false, true, false, true);
        assertThat(loop.deadlineNanos()).as("no timer is left").isZero();
    }

    @Test
    void shouldBeWokenOnlyIfItMayBeWaiting() {
        HandDrivenLoop loop = new HandDrivenLoop();
        loop.execute(() -> {});
        assertThat(loop.wakeUps()).isZero();
        loop.inKernel(() -> loop.execute(() -> order.add("task")));
        loop.ticks(1);
        assertThat(loop.wakeUps()).as("it had no leave to wait").isZero();
        loop.inKernel(() -> loop.execute(() -> order.add("task")));
        loop.ticks(1);
        assertThat(loop.wakeUps()).isEqualTo(1);
        loop.execute(() -> {});
        assertThat(loop.wakeUps()).as("awake again").isEqualTo(1);
        assertThat(order).hasSize(2);
    }

    @Test
    void shouldStayOutOfTheKernelForAWhileIfThereAreTurnsAlone() {
        HandDrivenLoop loop = new HandDrivenLoop();
        loop.submissionsWait(false);
        loop.ticks(1);
        assertThat(loop.leaves()).hasSize(1);
        loop.requestTurn(turn("turn", true));
        loop.ticks(5);
        assertThat(loop.leaves()).as("turns need no system call").hasSize(1);
        loop.advance(100 * MICROS - 1);
        loop.ticks(1);
        assertThat(loop.leaves()).hasSize(1);
        loop.advance(1);
        loop.ticks(1);
        assertThat(loop.leaves()).as("a kick is heard of after 100 us at the latest").hasSize(2);
        loop.ticks(1);
        assertThat(loop.leaves()).hasSize(2);
        Handle handle = new Handle("sink");
        loop.add(handle);
        handle.busy = true;
        loop.ticks(1);
        assertThat(loop.leaves()).hasSize(2);
        handle.awaitsKernel = true;
        loop.ticks(1);
        assertThat(loop.leaves()).as("a completion may be there").hasSize(3);
        handle.awaitsKernel = false;
        loop.submissionsWait(true);
        loop.ticks(1);
        assertThat(loop.leaves()).as("something is to be submitted").hasSize(4);
        loop.submissionsWait(false);
        loop.remove(handle);
        handle.awaitsKernel = true;
        loop.ticks(1);
        assertThat(loop.leaves()).as("not on this loop any more").hasSize(4);
    }

    @Test
    void shouldPauseLongerEachTimeTheKernelCannotBeEntered() {
        HandDrivenLoop loop = new HandDrivenLoop();
        try (CapturedLog logged = new CapturedLog()) {
            long began = System.nanoTime();
            for (int i = 0; i < 4; i++) {
                loop.entryFails(new IllegalStateException("made up"));
                loop.ticks(1);
            }
            assertThat(System.nanoTime() - began).as("1, 2, 4 and 8 ms").isGreaterThanOrEqualTo(15 * MILLIS);
            assertThat(logged.containing("entering the kernel failed")).hasSize(1);
        }
    }

    // ---- threads and failures

    @Test
    void shouldRefuseItsMethodsElsewhere() {
        HandDrivenLoop loop = HandDrivenLoop.spinning(POLL_MAX_NANOS);
        LoopTimer timer = loop.startTimer(() -> {}, 5);
        List<Runnable> methods = List.of(
                () -> loop.schedule(() -> {}, 0),
                () -> loop.requestTurn(() -> false),
                () -> loop.atTickEnd(() -> {}),
                () -> loop.onClose(() -> {}),
                () -> loop.cancelTimer(timer),
                () -> loop.addPoller(new Ring(loop, () -> false)));
        for (Runnable method : methods) {
            assertThatThrownBy(() -> CompletableFuture.runAsync(method).join())
                    .isInstanceOf(CompletionException.class)
                    .hasCauseInstanceOf(IllegalStateException.class);
        }
        assertThat(loop.inLoop()).isTrue();
    }

    @Test
    void shouldLogOneFailureASecondAndCountTheOthers() throws InterruptedException {
        FailureLog log = new FailureLog("test");
        try (CapturedLog logged = new CapturedLog()) {
            long began = System.nanoTime();
            for (int i = 0; i < 3; i++) {
                log.log("a thing", new IllegalStateException("made up"));
            }
            assertThat(logged.containing("test: a thing failed; the loop continues")).hasSize(1);
            assertThat(logged.containing("a thing failed")).hasSize(1);
            while (System.nanoTime() - began < TimeUnit.MILLISECONDS.toNanos(1100)) {
                TimeUnit.MILLISECONDS.sleep(10);
            }
            log.log("a thing", new IllegalStateException("made up"));
            assertThat(logged.containing("2 lines of this kind were not logged")).hasSize(1);
        }
    }

    @Test
    void shouldCountAsBusyTheTicksThatSkipTheKernelAfterAWait() {
        HandDrivenLoop loop = new HandDrivenLoop();
        loop.submissionsWait(false);
        loop.nextWaits(MILLIS);
        loop.ticks(1);
        assertThat(loop.leaves()).containsExactly(true);
        loop.requestTurn(() -> {
            loop.advance(7 * MICROS);
            return true;
        });
        loop.ticks(1);
        long before = loop.counters().busyNanos();
        loop.ticks(5);
        assertThat(loop.leaves()).as("it stays out of the kernel").hasSize(1);
        assertThat(loop.counters().busyNanos() - before).isEqualTo(5 * 7 * MICROS);
    }

    @Test
    void shouldLogAndOutliveAHandleThatCannotSayWhatItAwaits() {
        HandDrivenLoop loop = new HandDrivenLoop();
        loop.submissionsWait(false);
        boolean[] fails = {true};
        loop.add(new LoopHandle() {
            @Override
            protected void drain() {}

            @Override
            protected void loopEnding() {}

            @Override
            protected boolean busy() {
                if (fails[0]) {
                    throw new IllegalStateException("made up");
                }
                return false;
            }
        });
        loop.execute(() -> order.add("task"));
        try (CapturedLog logged = new CapturedLog()) {
            loop.ticks(1);
            assertThat(logged.containing("by-hand: a tick failed; the loop continues")).hasSize(1);
        }
        fails[0] = false;
        loop.ticks(1);
        assertThat(order).containsExactly("task");
    }

    @Test
    void shouldRunNoTimerThatIsCancelled() {
        HandDrivenLoop loop = new HandDrivenLoop();
        LoopTimer cancelled = loop.startTimer(() -> order.add("cancelled"), 5);
        LoopTimer run = loop.startTimer(() -> order.add("run"), 5);
        loop.cancelTimer(cancelled);
        loop.advance(5);
        loop.ticks(1);
        assertThat(order).containsExactly("run");
        loop.cancelTimer(run);
        loop.ticks(1);
        assertThat(loop.leaves()).as("no timer is left").endsWith(true);
    }

    /** A kind of loop that does not know whether its kernel has something to submit has to enter it. */
    @Test
    void shouldEnterInEachTickIfItsKindDoesNotSayWhetherSubmissionsWait() {
        int[] entries = {0};
        class Plain extends TickLoop {
            Plain() {
                super("plain", 0, () -> 1);
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
                entries[0]++;
            }

            @Override
            protected void wakeUp() {}

            @Override
            protected void closeKernel() {}

            boolean tick() {
                return runOneTick();
            }
        }
        Plain loop = new Plain();
        loop.requestTurn(turn("turn", true));
        for (int i = 0; i < 5; i++) {
            assertThat(loop.tick()).isTrue();
        }
        assertThat(order).hasSize(5);
        assertThat(entries[0]).isEqualTo(5);
    }
}
