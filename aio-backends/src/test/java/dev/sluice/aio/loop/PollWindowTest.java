package dev.sluice.aio.loop;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class PollWindowTest {
    private static final long MAX = 32_768;

    private long now = 1_000_000;

    /** The loop is idle for so long, spinning as the window allows; returns how long it spun. */
    private long idle(PollWindow window, long nanos) {
        return idle(window, nanos, false);
    }

    private long idle(PollWindow window, long nanos, boolean inKernel) {
        long from = now;
        long spun = 0;
        while (now - from < nanos && window.spins(now, inKernel)) {
            now += 100;
            spun = now - from;
        }
        if (now - from < nanos) {
            now = from + nanos;
            window.slept(now);
        }
        window.worked();
        return spun;
    }

    @Test
    void shouldNotSpinBeforeItHasSeenThatWorkComesSoon() {
        PollWindow window = new PollWindow(MAX);
        assertThat(idle(window, 1_000)).isZero();
        assertThat(window.windowNanos(false)).as("no shorter than that").isEqualTo(4_000);
    }

    @Test
    void shouldCatchWorkThatComesAsLateAsTheTimeBefore() {
        PollWindow window = new PollWindow(MAX);
        idle(window, 10_000);
        assertThat(idle(window, 10_000)).as("all of the wait was spent spinning").isEqualTo(10_000);
        idle(window, 11_000);
        assertThat(window.windowNanos(false)).as("it doubles, as the times vary").isEqualTo(20_000);
    }

    @Test
    void shouldNeverSpinLongerThanItsBound() {
        PollWindow window = new PollWindow(MAX);
        idle(window, 20_000);
        for (int i = 0; i < 100; i++) {
            assertThat(idle(window, MAX - 1)).isLessThan(MAX + 100);
        }
        assertThat(window.windowNanos(false)).isEqualTo(MAX);
    }

    @Test
    void shouldGiveUpWhereWorkGoesOnComingLate() {
        PollWindow window = new PollWindow(MAX);
        for (int i = 0; i < 10; i++) {
            idle(window, 10_000);
        }
        for (int i = 0; i < 4; i++) {
            idle(window, MAX * 10);
        }
        assertThat(window.windowNanos(false)).isZero();
        assertThat(idle(window, MAX * 10)).isZero();
    }

    @Test
    void shouldGoOnSpinningWhereWorkWasLateOnce() {
        PollWindow window = new PollWindow(MAX);
        idle(window, 7_000);
        idle(window, 8_000);
        assertThat(window.windowNanos(false)).isEqualTo(14_000);
        idle(window, MAX * 10);
        assertThat(idle(window, 7_000)).as("all of the wait was spent spinning").isEqualTo(7_000);
    }

    @Test
    void shouldSpinForTheNextKickAlthoughTheDiskIsSlow() {
        PollWindow window = new PollWindow(MAX);
        for (int i = 0; i < 10; i++) {
            idle(window, MAX * 3, true);
            idle(window, 9_000, false);
        }
        assertThat(idle(window, MAX * 3, true)).as("for the disk").isZero();
        assertThat(idle(window, 9_000, false)).as("for the kick").isEqualTo(9_000);
    }

    @Test
    void shouldStartTheClockAnewAfterWork() {
        PollWindow window = new PollWindow(MAX);
        idle(window, 4_000);
        assertThat(window.spins(now, false)).isTrue();
        now += 3_000;
        window.worked();
        assertThat(window.spins(now, false)).isTrue();
        now += 3_000;
        assertThat(window.spins(now, false)).as("3 us since the work, not 6").isTrue();
        now += 1_000;
        assertThat(window.spins(now, false)).isFalse();
    }

    @Test
    void shouldNotSpinWithoutABound() {
        PollWindow window = new PollWindow(0);
        assertThat(window.enabled()).isFalse();
    }
}
