package dev.sluice.aio.loop;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sluice.linux.CapturedLog;
import dev.sluice.pipeline.IoLoop;
import dev.sluice.pipeline.LoopCounters;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Ticks by hand and by a clock that stands still: when a loop enters the kernel, when it may wait there, what it does in which order, how it ends. */
@Timeout(60)
class TickLoopTest {
    private static final long MILLIS = 1_000_000;
    private static final long MICROS = 1_000;
    private static final long POLL_MAX_NANOS = 32 * MICROS;

    private final List<String> order = new ArrayList<>();

    /** A handle that notes what is asked of it. */
    private final class Handle extends LoopHandle {
        private final String name;
        private boolean busy;
        private boolean awaitsKernel;
        private boolean throwsAtDrain;

        Handle(String name) {
            this.name = name;
        }

        @Override
        protected void drain() {
            order.add("drain " + name);
            if (throwsAtDrain) {
                throw new IllegalStateException("made up");
            }
        }

        @Override
        protected void loopEnding() {
            order.add("ending " + name);
            throw new IllegalStateException("made up");
        }

        @Override
        protected boolean busy() {
            return busy;
        }

        @Override
        protected boolean awaitsKernel() {
            return awaitsKernel;
        }
    }

    /** Work that a spinning loop looks for. */
    private final class Ring implements IoLoop.Poller {
        private final HandDrivenLoop loop;
        private final IoLoop.Turn turn;
        private int looks;
        private int sleeps;
        private int spins;
        private int findsAtLook = Integer.MAX_VALUE;
        private boolean findsBeforeSleep;

        Ring(HandDrivenLoop loop, IoLoop.Turn turn) {
            this.loop = loop;
            this.turn = turn;
        }

        @Override
        public boolean poll() {
            order.add("look");
            return found(++looks >= findsAtLook);
        }

        @Override
        public boolean armNotifications() {
            sleeps++;
            return found(findsBeforeSleep);
        }

        private boolean found(boolean work) {
            if (work) {
                loop.requestTurn(turn);
            }
            return work;
        }

        @Override
        public void disarmNotifications() {
            spins++;
        }
    }

    private IoLoop.Turn turn(String name, boolean more) {
        return () -> {
            order.add(name);
            return more;
        };
    }

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

    // ---- spinning

    @Test
    void shouldLookAtNothingIfItDoesNotSpin() {
        HandDrivenLoop loop = new HandDrivenLoop();
        assertThat(loop.addPoller(new Ring(loop, turn("turn", false)))).isFalse();
        loop.ticks(2);
        assertThat(order).isEmpty();
    }

    @Test
    void shouldLookUntilThereIsWorkWithoutEnteringTheKernel() {
        HandDrivenLoop loop = HandDrivenLoop.spinning(POLL_MAX_NANOS);
        loop.ticks(1);
        loop.submissionsWait(false);
        int entries = loop.leaves().size();
        loop.nanosPerReading(100);
        Ring ring = new Ring(loop, turn("turn", false));
        ring.findsAtLook = 20;
        assertThat(loop.addPoller(ring)).isTrue();
        loop.ticks(1);
        assertThat(ring.looks).isEqualTo(20);
        assertThat(order).endsWith("turn");
        assertThat(loop.leaves()).hasSize(entries);
        assertThat(ring.sleeps).isZero();
        order.clear();
        loop.ticks(1);
        assertThat(order).as("which has found its work is not looked at any more").isEmpty();
    }

    /** One whose first wait is spent spinning, with a queue that finds nothing. */
    private HandDrivenLoop aboutToSpin() {
        HandDrivenLoop loop = HandDrivenLoop.spinning(POLL_MAX_NANOS);
        loop.submissionsWait(false);
        assertThat(loop.addPoller(new Ring(loop, turn("turn", false)))).isTrue();
        loop.nanosPerReading(100);
        return loop;
    }

    @Test
    void shouldStopSpinningForATask() {
        HandDrivenLoop loop = aboutToSpin();
        loop.execute(() -> order.add("task"));
        loop.ticks(1);
        assertThat(order).startsWith("task");
        assertThat(loop.leaves()).as("the kernel need not be entered").isEmpty();
    }

    @Test
    void shouldStopSpinningForATimer() {
        HandDrivenLoop loop = aboutToSpin();
        loop.schedule(() -> order.add("timer"), 2000);
        loop.ticks(1);
        assertThat(order).contains("timer");
        assertThat(order.indexOf("timer")).as("looks until it is due").isBetween(5, 21);
    }

    @Test
    void shouldStopSpinningAtItsBound() {
        HandDrivenLoop loop = aboutToSpin();
        loop.ticks(1);
        assertThat(loop.leaves()).hasSize(1);
        assertThat(order).as("looks in 32 us").hasSizeBetween(80, 330);
    }

    @Test
    void shouldAskForNotificationsBeforeItSleepsAndForNoneWhenItSpinsAgain() {
        HandDrivenLoop loop = HandDrivenLoop.spinning(POLL_MAX_NANOS);
        Ring ring = new Ring(loop, turn("turn", false));
        assertThat(loop.addPoller(ring)).isTrue();
        loop.nanosPerReading(100);
        for (int i = 0; i < 2000 && ring.sleeps == 0; i++) {
            loop.ticks(1);
        }
        assertThat(ring.sleeps).isEqualTo(1);
        assertThat(ring.spins).isZero();
        assertThat(loop.leaves()).endsWith(false, true);
        assertThat(loop.leaves().size()).as("it had spun for its 32 us").isBetween(20, 400);
        // The work comes at once, and again and again: it spins.
        for (int i = 0; i < 2000 && ring.spins == 0; i++) {
            loop.requestTurn(turn("work", false));
            loop.ticks(1);
            loop.ticks(2);
        }
        assertThat(ring.spins).isEqualTo(1);
        loop.ticks(1);
        assertThat(ring.spins).as("once").isEqualTo(1);
    }

    @Test
    void shouldNotSleepIfAQueueHasWorkBeforeIt() {
        HandDrivenLoop loop = HandDrivenLoop.spinning(POLL_MAX_NANOS);
        Ring ring = new Ring(loop, turn("turn", false));
        ring.findsBeforeSleep = true;
        assertThat(loop.addPoller(ring)).isTrue();
        loop.nanosPerReading(1000);
        for (int i = 0; i < 100 && ring.sleeps == 0; i++) {
            loop.ticks(1);
        }
        assertThat(ring.sleeps).isEqualTo(1);
        assertThat(loop.leaves()).containsOnly(false);
        assertThat(order).endsWith("turn");
    }

    // ---- ending

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

    @Test
    void shouldRefuseItsMethodsElsewhere() {
        HandDrivenLoop loop = HandDrivenLoop.spinning(POLL_MAX_NANOS);
        List<Runnable> methods = List.of(
                () -> loop.schedule(() -> {}, 0),
                () -> loop.requestTurn(() -> false),
                () -> loop.atTickEnd(() -> {}),
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
}
