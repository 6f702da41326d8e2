package dev.sluice.pipeline;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class LogLimiterTest {
    private static final long SECOND = 1_000_000_000L;

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
        for (int i = 0; i < 100_000; i++) {
            logged += limiter.admit(i) == null ? 0 : 1;
        }
        assertThat(logged).isLessThan(100);
        assertThat(limiter.takeSuppressed()).isEqualTo(100_000 - logged);
        // Those that were idle make room.
        now += 20 * SECOND;
        for (int i = 0; i < 10; i++) {
            assertThat(limiter.admit("new " + i)).isEmpty();
        }
    }

    @Test
    void shouldKeepALineALineWhateverAPathHas() {
        assertThat(LogText.escaped("/run/größe disk.sock")).isEqualTo("/run/größe disk.sock");
        assertThat(LogText.escaped("a\nb\r\t\u001B[31m\u0085\u2028\u202Ec\\")).isEqualTo("a\\nb\\r\\t\\x1B[31m\\x85\\u2028\\u202Ec\\");
    }
}
