package dev.sluice.aio.loop;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sluice.pipeline.IoLoop;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.RejectedExecutionException;
import org.junit.jupiter.api.Test;

/** What a loop is made of: lists that keep their order however long they are, the mailbox, the timers. */
class LoopPartsTest {
    /** As many as fill an array, so that a look beyond its end is noticed. */
    private static final int MANY = 64;

    private final HandDrivenLoop loop = new HandDrivenLoop();
    private final List<String> order = new ArrayList<>();

    private List<String> numbered(String name) {
        List<String> expected = new ArrayList<>();
        for (int i = 0; i < MANY; i++) {
            expected.add(name + " " + i);
        }
        return expected;
    }

    // ---- turns and hooks

    @Test
    void shouldRunManyTurnsInTheOrderOfAsking() {
        TurnList turns = new TurnList();
        List<IoLoop.Turn> asked = new ArrayList<>();
        for (int i = 0; i < MANY; i++) {
            String name = "turn " + i;
            asked.add(() -> {
                order.add(name);
                return name.endsWith("17");
            });
            turns.ask(asked.get(i));
            turns.ask(asked.get(i));
        }
        assertThat(turns.isEmpty()).isFalse();
        turns.runAll(loop);
        assertThat(order).isEqualTo(numbered("turn"));
        order.clear();
        turns.runAll(loop);
        assertThat(order).containsExactly("turn 17");
        turns.ask(asked.getFirst());
        order.clear();
        turns.runAll(loop);
        assertThat(order).containsExactly("turn 17", "turn 0");
    }

    /** A turn that asks for one which has still to run asks in vain; for itself or for one that has run, the next tick is meant. */
    @Test
    void shouldRunATurnThatIsAskedForWhileTurnsRunInThisTickOrTheNext() {
        TurnList turns = new TurnList();
        IoLoop.Turn first = named("first");
        IoLoop.Turn last = named("last");
        IoLoop.Turn[] asking = new IoLoop.Turn[1];
        boolean[] again = {true};
        asking[0] = () -> {
            order.add("asking");
            if (again[0]) {
                again[0] = false;
                turns.ask(first);
                turns.ask(asking[0]);
                turns.ask(last);
            }
            return false;
        };
        turns.ask(first);
        turns.ask(asking[0]);
        turns.ask(last);
        turns.runAll(loop);
        assertThat(order).containsExactly("first", "asking", "last");
        assertThat(turns.isEmpty()).isFalse();
        order.clear();
        turns.runAll(loop);
        assertThat(order).containsExactly("first", "asking");
        assertThat(turns.isEmpty()).isTrue();
        // Between ticks nothing is running, so that each counts.
        order.clear();
        turns.ask(last);
        turns.ask(first);
        turns.runAll(loop);
        assertThat(order).containsExactly("last", "first");
    }

    private IoLoop.Turn named(String name) {
        return () -> {
            order.add(name);
            return false;
        };
    }

    @Test
    void shouldRunManyHooksOnce() {
        TickEndHooks hooks = new TickEndHooks();
        for (int i = 0; i < MANY; i++) {
            String name = "hook " + i;
            hooks.add(() -> order.add(name));
        }
        hooks.runAll(loop);
        assertThat(order).isEqualTo(numbered("hook"));
        hooks.runAll(loop);
        assertThat(order).hasSize(MANY);
        hooks.add(() -> order.add("again"));
        hooks.runAll(loop);
        assertThat(order).hasSize(MANY + 1).endsWith("again");
    }

    // ---- handles

    private final class Handle extends LoopHandle {
        private final String name;
        private boolean busy;

        Handle(String name) {
            this.name = name;
        }

        @Override
        protected void drain() {
            order.add(name);
        }

        @Override
        protected void loopEnding() {
            order.add(name + " ending");
        }

        @Override
        protected boolean busy() {
            return busy;
        }
    }

    @Test
    void shouldDrainEachOfManyHandlesOnceHoweverManyCompletionsItHas() {
        LoopHandles handles = new LoopHandles();
        assertThat(handles.drain(loop)).isFalse();
        for (int i = 0; i < MANY; i++) {
            Handle handle = new Handle("handle " + i);
            handles.add(handle);
            handles.awaitDrain(handle);
            handles.awaitDrain(handle);
        }
        assertThat(handles.drain(loop)).isTrue();
        assertThat(order).isEqualTo(numbered("handle"));
        assertThat(handles.drain(loop)).isFalse();
        assertThat(order).hasSize(MANY);
        Handle again = new Handle("again");
        handles.awaitDrain(again);
        assertThat(handles.drain(loop)).isTrue();
        handles.awaitDrain(again);
        assertThat(handles.drain(loop)).isTrue();
        assertThat(order).hasSize(MANY + 2);
    }

    @Test
    void shouldKnowWhetherAnyHandleIsBusy() {
        LoopHandles handles = new LoopHandles();
        assertThat(handles.anyBusy()).isFalse();
        assertThat(handles.anyAwaitsKernel()).isFalse();
        Handle first = new Handle("first");
        Handle second = new Handle("second");
        handles.add(first);
        handles.add(second);
        assertThat(handles.anyBusy()).isFalse();
        for (Handle one : List.of(first, second)) {
            one.busy = true;
            assertThat(handles.anyBusy()).isTrue();
            assertThat(handles.anyAwaitsKernel()).as("unless it says otherwise").isTrue();
            one.busy = false;
        }
        second.busy = true;
        handles.remove(second);
        assertThat(handles.anyBusy()).isFalse();
        handles.loopEnding(loop);
        assertThat(order).containsExactly("first ending");
    }

    // ---- queues to look at

    private final class Queue implements IoLoop.Poller {
        private final String name;
        private boolean found;
        private boolean fails;

        Queue(String name) {
            this.name = name;
        }

        @Override
        public boolean poll() {
            order.add("look " + name);
            if (fails) {
                throw new IllegalStateException("made up");
            }
            return found;
        }

        @Override
        public boolean armNotifications() {
            order.add("sleep " + name);
            return found;
        }

        @Override
        public void disarmNotifications() {
            order.add("spin " + name);
        }
    }

    @Test
    void shouldLookAtManyQueuesAndForgetThoseThatHaveFoundWorkOrFail() {
        PollList polls = new PollList();
        List<Queue> queues = new ArrayList<>();
        for (int i = 0; i < MANY; i++) {
            queues.add(new Queue("" + i));
            polls.add(queues.get(i));
        }
        polls.poll(loop);
        assertThat(order).isEqualTo(numbered("look"));
        queues.get(3).found = true;
        polls.poll(loop);
        order.clear();
        polls.poll(loop);
        assertThat(order).hasSize(MANY - 1).doesNotContain("look 3");
        queues.get(5).fails = true;
        polls.poll(loop);
        order.clear();
        polls.poll(loop);
        assertThat(order).as("what throws is not looked at any more").hasSize(MANY - 2).doesNotContain("look 5");
        queues.get(7).found = true;
        order.clear();
        assertThat(polls.armNotifications(loop)).isTrue();
        queues.get(7).found = false;
        assertThat(polls.armNotifications(loop)).isFalse();
        order.clear();
        polls.disarmNotifications(loop);
        assertThat(order).contains("spin 0", "spin 63").doesNotContain("spin 3", "spin 7");
        order.clear();
        polls.disarmNotifications(loop);
        assertThat(order).as("until the next sleep").isEmpty();
        boolean _ = polls.armNotifications(loop);
        polls.disarmNotifications(loop);
        assertThat(order).contains("spin 0");
    }

    @Test
    void shouldKeepAQueueThatIsAddedWhileItLooks() {
        PollList polls = new PollList();
        Queue late = new Queue("late");
        late.found = true;
        Queue first = new Queue("first");
        first.found = true;
        polls.add(new IoLoop.Poller() {
            @Override
            public boolean poll() {
                polls.add(late);
                return false;
            }

            @Override
            public boolean armNotifications() {
                return false;
            }

            @Override
            public void disarmNotifications() {}
        });
        polls.add(first);
        polls.poll(loop);
        assertThat(order).containsExactly("look first");
        order.clear();
        assertThat(polls.armNotifications(loop)).isTrue();
        assertThat(order).containsExactly("sleep late");
    }

    // ---- timers

    /** Seconds, which in nanoseconds are more than 31 bits, and hours. */
    @Test
    void shouldRunTimersByTimeHoweverFarApart() {
        Timers timers = new Timers();
        long now = Long.MAX_VALUE - 5_000_000_000L;
        for (long seconds : new long[] {3, 0, 100_000, 5, 2, 4, 10}) {
            timers.add(() -> order.add(seconds + " s"), now + seconds * 1_000_000_000L);
        }
        timers.runDue(loop, now + 4_000_000_000L);
        assertThat(order).containsExactly("0 s", "2 s", "3 s", "4 s");
        timers.runDue(loop, now + 100_000_000_000_000L);
        assertThat(order).containsExactly("0 s", "2 s", "3 s", "4 s", "5 s", "10 s", "100000 s");
        order.clear();
    }

    @Test
    void shouldRunTimersByTimeThenByTheOrderOfAsking() {
        Timers timers = new Timers();
        assertThat(timers.isEmpty()).isTrue();
        assertThatThrownBy(timers::firstDueNanos).isInstanceOf(IllegalStateException.class);
        long now = Long.MAX_VALUE - 10;
        timers.add(() -> order.add("after the clock's wrap-around"), now + 20);
        timers.add(() -> order.add("b"), now + 1);
        timers.add(() -> order.add("c"), now + 1);
        timers.add(
                () -> {
                    order.add("a");
                    timers.add(() -> order.add("of a timer"), now);
                },
                now);
        assertThat(timers.isEmpty()).isFalse();
        assertThat(timers.firstDueNanos()).isEqualTo(now);
        timers.runDue(loop, now - 1);
        assertThat(order).isEmpty();
        timers.runDue(loop, now + 1);
        assertThat(order).as("what a timer adds waits for the next tick").containsExactly("a");
        timers.runDue(loop, now + 1);
        assertThat(order).containsExactly("a", "of a timer", "b", "c");
        timers.runDue(loop, now + 19);
        assertThat(order).hasSize(4);
        order.clear();
        for (int i = 0; i < MANY; i++) {
            String name = "timer " + i;
            timers.add(() -> order.add(name), now + 19);
        }
        timers.runDue(loop, now + 19);
        assertThat(order).isEqualTo(numbered("timer"));
        order.clear();
        timers.runDue(loop, now + 20);
        assertThat(order).containsExactly("after the clock's wrap-around");
        assertThat(timers.isEmpty()).isTrue();
    }

    // ---- mailbox

    @Test
    void shouldWakeTheLoopOnlyWhileItMayBeWaiting() {
        int[] wakeUps = {0};
        Mailbox mailbox = new Mailbox("test", () -> wakeUps[0]++);
        mailbox.post(() -> order.add("first"));
        assertThat(wakeUps[0]).isZero();
        assertThat(mailbox.mayWait()).as("there is a task").isFalse();
        mailbox.post(() -> order.add("second"));
        assertThat(wakeUps[0]).isZero();
        mailbox.post(() -> order.add("third"));
        assertThat(mailbox.isEmpty()).isFalse();
        assertThat(mailbox.runAll(loop, 2)).isEqualTo(2);
        assertThat(order).containsExactly("first", "second");
        assertThat(mailbox.runAll(loop, 2)).isEqualTo(1);
        assertThat(mailbox.isEmpty()).isTrue();
        assertThat(mailbox.mayWait()).isTrue();
        mailbox.post(() -> {});
        assertThat(wakeUps[0]).isEqualTo(1);
        mailbox.awake();
        mailbox.post(() -> {});
        assertThat(wakeUps[0]).isEqualTo(1);
        mailbox.close();
        assertThatThrownBy(() -> mailbox.post(() -> order.add("late"))).isInstanceOf(RejectedExecutionException.class).hasMessage("test has ended");
        assertThat(mailbox.runAll(loop, 10)).isEqualTo(2);
    }
}
