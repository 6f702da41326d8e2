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
        window.worked(now);
        return spun;
    }

    private long idle(PollWindow window, long nanos, int times) {
        long spun = 0;
        for (int i = 0; i < times; i++) {
            spun += idle(window, nanos);
        }
        return spun;
    }

    /** A window whose loop spins, as work has come after so long. */
    private PollWindow spinning(long nanos) {
        PollWindow window = new PollWindow(MAX);
        idle(window, nanos, 16 * 64);
        assertThat(idle(window, nanos)).as("all of the wait was spent spinning").isEqualTo(nanos);
        return window;
    }

    @Test
    void shouldCatchWorkThatComesSomewhatLaterThanBefore() {
        PollWindow window = spinning(10_000);
        assertThat(idle(window, 15_000)).isEqualTo(15_000);
    }

    @Test
    void shouldNeverSpinLongerThanItsBound() {
        PollWindow window = spinning(32_700);
        assertThat(idle(window, MAX * 10)).isBetween(MAX - 100, MAX + 100);
    }

    @Test
    void shouldNotSpinForLongWhereWorkComesAtOnce() {
        PollWindow window = spinning(1_000);
        assertThat(idle(window, MAX * 10)).isBetween(4_000L, 5_000L);
    }

    @Test
    void shouldGiveUpWhereWorkGoesOnComingLateButForATrialNowAndThen() {
        PollWindow window = spinning(10_000);
        idle(window, MAX * 10, 4);
        assertThat(idle(window, MAX * 10, 640)).as("10 trials in 640 waits").isBetween(10 * MAX, 10 * (MAX + 100));
    }

    @Test
    void shouldSpinAgainOnceTrialsAreOfUse() {
        PollWindow window = spinning(10_000);
        idle(window, MAX * 10, 10);
        idle(window, 10_000, 16 * 64);
        assertThat(idle(window, 10_000, 100)).isEqualTo(100 * 10_000);
    }

    @Test
    void shouldNotSpinWhereOneOfFourIsInVain() {
        PollWindow window = spinning(10_000);
        long spun = 0;
        for (int i = 0; i < 1000; i++) {
            idle(window, 25_000, 3);
            spun += idle(window, MAX * 2);
        }
        assertThat(spun).as("of 1000 waits that were longer than the bound").isLessThan(100 * MAX);
    }

    @Test
    void shouldGoOnSpinningWhereWorkWasLateOnce() {
        PollWindow window = spinning(7_000);
        idle(window, 7_000, 16);
        idle(window, MAX * 10);
        assertThat(idle(window, 7_000)).isEqualTo(7_000);
    }

    @Test
    void shouldSpinForTheNextKickAlthoughTheDiskIsSlow() {
        PollWindow window = new PollWindow(MAX);
        for (int i = 0; i < 16 * 64; i++) {
            assertThat(idle(window, MAX * 3, true)).as("for the disk").isZero();
            idle(window, 9_000, false);
        }
        assertThat(idle(window, 9_000, false)).as("for the kick").isEqualTo(9_000);
    }

    @Test
    void shouldNotSpinBecauseOfWorkThatWasThereAtTheFirstLook() {
        PollWindow window = new PollWindow(MAX);
        idle(window, MAX * 3);
        for (int i = 0; i < 2000; i++) {
            window.spins(now, false);
            window.worked(now);
        }
        assertThat(idle(window, MAX * 3)).isZero();
    }

    @Test
    void shouldSpinForADiskThatIsSoonDone() {
        PollWindow window = new PollWindow(MAX);
        for (int i = 0; i < 16; i++) {
            idle(window, 15_000, true);
        }
        assertThat(idle(window, 15_000, true)).as("all of the wait was spent spinning").isEqualTo(15_000);
    }

    /** However long a disk has been slow, it takes sixteen quick requests and no more. */
    @Test
    void shouldSpinForADiskThatHasBecomeQuick() {
        PollWindow window = new PollWindow(MAX);
        for (int i = 0; i < 1000; i++) {
            idle(window, MAX * 3, true);
        }
        for (int i = 0; i < 16; i++) {
            idle(window, 15_000, true);
        }
        assertThat(idle(window, 15_000, true)).as("all of the wait was spent spinning").isEqualTo(15_000);
    }

    @Test
    void shouldStartTheClockAnewAfterWork() {
        PollWindow window = spinning(2_000);
        assertThat(window.spins(now, false)).isTrue();
        now += 3_000;
        window.worked(now);
        assertThat(window.spins(now, false)).isTrue();
        now += 3_000;
        assertThat(window.spins(now, false)).as("3 us since the work, not 6").isTrue();
    }

    @Test
    void shouldSpinLongerAtOnceAndShorterByAndBy() {
        PollWindow shorter = spinning(10_000);
        idle(shorter, 1_000);
        assertThat(idle(shorter, MAX * 10)).as("20 us, less an eighth of the way to 4 us").isBetween(18_000L, 18_100L);
        PollWindow longer = spinning(2_000);
        idle(longer, 3_900);
        assertThat(idle(longer, MAX * 10)).as("twice as long as the work took").isBetween(7_800L, 7_900L);
    }

    @Test
    void shouldNotSpinWithoutABound() {
        assertThat(new PollWindow(1).enabled()).isTrue();
        PollWindow window = new PollWindow(0);
        assertThat(window.enabled()).isFalse();
    }

    /** Of waits for a kick only those count that were spun, which are a trial in 64 until trials are of use. */
    @Test
    void shouldLearnNothingFromAKickThatWokeIt() {
        PollWindow window = new PollWindow(MAX);
        assertThat(idle(window, 10_000)).as("the first is a trial").isEqualTo(10_000);
        assertThat(idle(window, 10_000, 63)).isZero();
        assertThat(idle(window, 10_000)).as("the second").isEqualTo(10_000);
        assertThat(idle(window, 10_000, 63)).isZero();
    }

    @Test
    void shouldCountAWaitOnceHoweverLongTheLoopIsBusyAfterIt() {
        PollWindow window = new PollWindow(MAX);
        assertThat(idle(window, 10_000)).isEqualTo(10_000);
        for (int i = 0; i < 100; i++) {
            now += 10;
            window.worked(now);
        }
        assertThat(idle(window, 10_000)).as("one wait has ended within the bound, not a hundred").isZero();
    }

    @Test
    void shouldCountAWaitOfExactlyItsBoundAsInTime() {
        PollWindow window = new PollWindow(MAX);
        for (int i = 0; i < 16; i++) {
            assertThat(idle(window, MAX, true)).isZero();
        }
        assertThat(idle(window, 20_000, true)).isEqualTo(20_000);
        PollWindow late = new PollWindow(MAX);
        for (int i = 0; i < 16; i++) {
            assertThat(idle(late, MAX + 1, true)).isZero();
        }
        assertThat(idle(late, 20_000, true)).isZero();
    }
}
