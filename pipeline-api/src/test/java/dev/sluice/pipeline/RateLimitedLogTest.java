package dev.sluice.pipeline;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.linux.CapturedLog;
import org.junit.jupiter.api.Test;
import org.slf4j.LoggerFactory;

class RateLimitedLogTest {
    private static final long SECOND = 1_000_000_000L;

    private long now = Long.MAX_VALUE - SECOND / 2;
    private final RateLimitedLog log = new RateLimitedLog(LoggerFactory.getLogger(RateLimitedLogTest.class), () -> now);

    @Test
    void shouldAdmitOneLineASecondAndSayHowManyWereNotLogged() {
        try (CapturedLog lines = new CapturedLog()) {
            assertThat(log.admits()).as("the first").isTrue();
            for (int i = 0; i < 5; i++) {
                assertThat(log.admits()).isFalse();
            }
            // Over the clock's wrap.
            now += SECOND - 1;
            assertThat(log.admits()).isFalse();
            assertThat(lines.lines()).isEmpty();
            now += 1;
            assertThat(log.admits()).isTrue();
            assertThat(lines.lines()).singleElement().asString().endsWith("6 lines of this kind were not logged");
            now += SECOND;
            assertThat(log.admits()).isTrue();
            assertThat(lines.lines()).as("none were left out since").hasSize(1);
            now += SECOND - 1;
            assertThat(log.admits()).as("a second from the last that was admitted").isFalse();
        }
    }
}
