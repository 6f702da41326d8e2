package dev.sluice.pipeline;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class LogLimiterTest {
    private static final long SECOND = 1_000_000_000L;
    private static final int KEYS = 64;

    private long now = Long.MAX_VALUE - 5 * SECOND;
    private final LogLimiter limiter = new LogLimiter(() -> now);

    @Test
    void shouldLetABurstThroughAndThenOneASecondWithTheCountOfTheOthers() {
        int logged = 0;
        for (int i = 0; i < 8_389; i++) {
            logged += limiter.admit("violation") == null ? 0 : 1;
        }
        assertThat(logged).isEqualTo(LogLimiter.BURST);
        now += SECOND;
        assertThat(limiter.admit("violation")).isEqualTo(" (" + (8_389 - LogLimiter.BURST) + " more such lines before this one were not logged)");
        assertThat(limiter.admit("violation")).isNull();
        assertThat(limiter.takeSuppressed()).isOne();
        // Over the clock's wrap, back to a full burst and no more.
        now += 3600 * SECOND;
        for (int i = 0; i < LogLimiter.BURST; i++) {
            assertThat(limiter.admit("violation")).isEmpty();
        }
        assertThat(limiter.admit("violation")).isNull();
    }

    @Test
    void shouldNotLetOneHideTheLinesOfAnother() {
        for (int i = 0; i < 1000; i++) {
            limiter.admit("loud");
        }
        assertThat(limiter.admit("loud")).isNull();
        assertThat(limiter.admit("quiet")).isEmpty();
    }

    @Test
    void shouldStayBoundedWhenKeysAreMany() {
        int logged = 0;
        for (int i = 0; i < 10_000; i++) {
            logged += limiter.admit(i) == null ? 0 : 1;
        }
        assertThat(logged).isLessThan(100);
        assertThat(limiter.takeSuppressed()).isEqualTo(10_000 - logged);
        // Those that were idle make room.
        now += 20 * SECOND;
        for (int i = 0; i < 10; i++) {
            assertThat(limiter.admit("new " + i)).isEmpty();
        }
    }

    @Test
    void shouldGiveLinesOfTheirOwnToAsManyKeysAsItKeeps() {
        for (int key = 0; key < KEYS; key++) {
            for (int i = 0; i < LogLimiter.BURST; i++) {
                assertThat(limiter.admit(key)).as("key " + key).isEmpty();
            }
            assertThat(limiter.admit(key)).as("key " + key).isNull();
        }
        // All others share one limit, as long as none of these is idle.
        for (int i = 0; i < LogLimiter.BURST; i++) {
            assertThat(limiter.admit("one more")).isEmpty();
        }
        assertThat(limiter.admit("and another")).isNull();
        assertThat(limiter.takeSuppressed()).isEqualTo(KEYS + 1);
        assertThat(limiter.takeSuppressed()).isZero();
    }

    @Test
    void shouldForgetIdleKeysAndNoneWithACount() {
        for (int key = 0; key < KEYS - 1; key++) {
            limiter.admit(key);
        }
        for (int i = 0; i < LogLimiter.BURST + 7; i++) {
            limiter.admit("loud");
        }
        for (int i = 0; i < 2 * LogLimiter.BURST; i++) {
            limiter.admit("beyond " + i);
        }
        // Every bucket is full again, that of the keys beyond included but for what it gives to each of them here.
        now += LogLimiter.BURST * SECOND;
        for (int key = 0; key < KEYS - 1; key++) {
            assertThat(limiter.admit("new " + key)).as("new key " + key).isEmpty();
        }
        assertThat(limiter.admit("loud")).as("its count outlasts others").startsWith(" (7 more");
        assertThat(limiter.takeSuppressed()).isEqualTo(LogLimiter.BURST);
    }

    @Test
    void shouldKeepAKeyThatHasLinesLeftOnlyInPart() {
        for (int key = 0; key < KEYS; key++) {
            for (int i = 0; i < LogLimiter.BURST; i++) {
                limiter.admit(key);
            }
        }
        now += SECOND;
        assertThat(limiter.admit("new")).isEmpty();
        assertThat(limiter.admit(0)).as("one second, one line").isEmpty();
        assertThat(limiter.admit(0)).isNull();
    }
}
