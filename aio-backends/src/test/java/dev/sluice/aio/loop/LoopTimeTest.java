package dev.sluice.aio.loop;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** A loop whose clock overflows, as that of System.nanoTime may at any time, and how long it pauses when it cannot enter the kernel. */
@Timeout(60)
class LoopTimeTest {
    private static final long CLOSE_LIMIT_NANOS = TimeUnit.SECONDS.toNanos(10);

    private static HandDrivenLoop beforeOverflow(long nanos) {
        HandDrivenLoop loop = new HandDrivenLoop();
        loop.advance(Long.MAX_VALUE - nanos - loop.nowNanos());
        return loop;
    }

    @Test
    void shouldRunATimerWhenItIsDueAfterTheClockHasOverflowed() {
        HandDrivenLoop loop = beforeOverflow(10);
        List<String> ran = new ArrayList<>();
        loop.schedule(() -> ran.add("timer"), 100);
        loop.ticks(1);
        assertThat(loop.leaves()).as("nothing is due: the loop may sleep").containsExactly(true);
        loop.advance(99);
        assertThat(loop.nowNanos()).isNegative();
        loop.ticks(1);
        assertThat(ran).isEmpty();
        assertThat(loop.leaves()).containsExactly(true, true);
        loop.advance(1);
        loop.ticks(1);
        assertThat(loop.leaves()).containsExactly(true, true, false);
        assertThat(ran).containsExactly("timer");
        loop.end();
    }

    @Test
    void shouldRunATimerThatBecameDueBeforeTheClockOverflowed() {
        HandDrivenLoop loop = beforeOverflow(10);
        List<String> ran = new ArrayList<>();
        loop.schedule(() -> ran.add("timer"), 5);
        loop.advance(20);
        loop.ticks(1);
        assertThat(loop.leaves()).containsExactly(false);
        assertThat(ran).containsExactly("timer");
        loop.end();
    }

    @Test
    void shouldWaitTenSecondsForItsRequestsAlsoWhenTheClockOverflows() {
        HandDrivenLoop loop = beforeOverflow(CLOSE_LIMIT_NANOS / 2);
        loop.add(new LoopHandle() {
            @Override
            protected void drain() {}

            @Override
            protected void loopEnding() {}

            @Override
            protected boolean busy() {
                return true;
            }
        });
        loop.close();
        loop.ticks(2);
        assertThat(loop.deadlineNanos()).as("the loop wakes up for its limit").isEqualTo(loop.nowNanos() + CLOSE_LIMIT_NANOS);
        loop.advance(CLOSE_LIMIT_NANOS - 1);
        loop.ticks(1);
        loop.advance(1);
        assertThat(loop.tick()).isFalse();
        assertThat(loop.kernelClosed()).isTrue();
    }

    /** Ten failures in a row pause for 128 ms; one after a success must not. The shortest of many, as the machine may be busy. */
    @Test
    void shouldPauseBrieflyAgainOnceTheKernelWasEntered() {
        HandDrivenLoop loop = new HandDrivenLoop();
        long shortest = Long.MAX_VALUE;
        for (int i = 0; i < 30; i++) {
            loop.entryFails(new IllegalStateException("made up"));
            long begun = System.nanoTime();
            loop.ticks(1);
            if (i >= 10) {
                shortest = Math.min(shortest, System.nanoTime() - begun);
            }
            loop.ticks(1);
        }
        assertThat(shortest).isBetween(TimeUnit.MICROSECONDS.toNanos(900), TimeUnit.MILLISECONDS.toNanos(64));
        loop.end();
    }
}
