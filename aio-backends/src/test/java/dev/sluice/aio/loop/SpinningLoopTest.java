package dev.sluice.aio.loop;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.linux.CapturedLog;
import dev.sluice.pipeline.IoLoop;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A loop that busy-polls, by hand: when it looks at its rings instead of sleeping, and what ends that. */
@Timeout(60)
class SpinningLoopTest extends NotedOnLoop {
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

    @Test
    void shouldSayWhetherItSpins() {
        assertThat(HandDrivenLoop.spinning(1).busyPolls()).isTrue();
        assertThat(new HandDrivenLoop().busyPolls()).isFalse();
    }

    /** It may spin for longer, but a kick of a ring that is not polled must not wait for that. */
    @Test
    void shouldLookIntoTheKernelEvery100MicrosecondsHoweverLongItSpins() {
        HandDrivenLoop loop = HandDrivenLoop.spinning(10 * MILLIS);
        loop.submissionsWait(false);
        assertThat(loop.addPoller(new Ring(loop, turn("turn", false)))).isTrue();
        loop.nanosPerReading(MICROS);
        long before = loop.nowNanos();
        for (int i = 0; i < 10; i++) {
            loop.ticks(1);
        }
        assertThat(loop.leaves()).as("each tick ends with an entry").hasSize(10).containsOnly(false);
        assertThat(loop.nowNanos() - before).isBetween(10 * 100 * MICROS, 10 * 120 * MICROS);
    }

    /** A poller that asks for a turn and says that it found nothing, and one that says it found something without a turn. */
    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void shouldNotSleepIfAPollerFindsWorkInWhateverWayItSaysSo(boolean byItsTurn) {
        HandDrivenLoop loop = HandDrivenLoop.spinning(POLL_MAX_NANOS);
        int[] armed = {0};
        assertThat(loop.addPoller(new IoLoop.Poller() {
            @Override
            public boolean poll() {
                return false;
            }

            @Override
            public boolean armNotifications() {
                armed[0]++;
                if (byItsTurn) {
                    loop.requestTurn(turn("turn", false));
                }
                return !byItsTurn;
            }

            @Override
            public void disarmNotifications() {}
        }))
                .isTrue();
        loop.advance(MILLIS);
        loop.ticks(1);
        loop.advance(MILLIS);
        assertThat(loop.leaves()).containsOnly(false);
        loop.ticks(1);
        assertThat(armed[0]).as("it was about to sleep").isEqualTo(1);
        assertThat(loop.leaves()).containsOnly(false);
    }

    /** One that has slept with its pollers armed: their rings need not notify while it spins. */
    @Test
    void shouldDisarmNotificationsAlsoWhenItSpinsOutsideTheKernel() {
        HandDrivenLoop loop = HandDrivenLoop.spinning(POLL_MAX_NANOS);
        loop.submissionsWait(false);
        Handle disk = new Handle("disk");
        disk.awaitsKernel = true;
        loop.add(disk);
        Ring ring = new Ring(loop, turn("turn", false));
        assertThat(loop.addPoller(ring)).isTrue();
        loop.ticks(1);
        assertThat(loop.leaves()).as("it sleeps until the disk has completed something").containsExactly(true);
        assertThat(ring.sleeps).isEqualTo(1);
        disk.awaitsKernel = false;
        loop.nanosPerReading(100);
        ring.findsAtLook = ring.looks + 3;
        loop.ticks(1);
        assertThat(order).endsWith("turn");
        assertThat(loop.leaves()).as("it did not enter the kernel").hasSize(1);
        assertThat(ring.spins).isEqualTo(1);
    }

    /** As long as work comes soon, of whatever kind, each wait is one of its own and the loop continues to spin. */
    @ParameterizedTest
    @ValueSource(strings = {"completion", "task", "turn"})
    void shouldStartANewWaitAfterEachKindOfWork(String kind) {
        HandDrivenLoop loop = HandDrivenLoop.spinning(POLL_MAX_NANOS);
        Handle disk = new Handle("disk");
        disk.awaitsKernel = true;
        loop.add(disk);
        for (int i = 0; i < 16; i++) {
            loop.nextWaits(5 * MICROS);
            loop.inKernel(() -> loop.completionSeen(disk));
            loop.ticks(1);
        }
        assertThat(loop.leaves()).as("it learns that completions come within its bound").hasSize(16).containsOnly(true);
        for (int i = 0; i < 100; i++) {
            loop.ticks(1);
            loop.advance(5 * MICROS);
            switch (kind) {
                case "completion" -> loop.inKernel(() -> loop.completionSeen(disk));
                case "task" -> loop.execute(() -> {});
                default -> loop.requestTurn(turn("turn", false));
            }
            loop.ticks(1);
        }
        assertThat(loop.leaves().subList(16, 216)).as("whether it slept").containsOnly(false);
    }

    @Test
    void shouldLogAndForgetAPollerThatThrows() {
        HandDrivenLoop loop = HandDrivenLoop.spinning(POLL_MAX_NANOS);
        assertThat(loop.addPoller(new IoLoop.Poller() {
            @Override
            public boolean poll() {
                order.add("poll");
                throw new IllegalStateException("made up");
            }

            @Override
            public boolean armNotifications() {
                return false;
            }

            @Override
            public void disarmNotifications() {}
        }))
                .isTrue();
        try (CapturedLog logged = new CapturedLog()) {
            loop.ticks(2);
            assertThat(logged.containing("by-hand: polling a queue failed; the loop continues")).hasSize(1);
        }
        assertThat(order).containsExactly("poll");
    }
}
