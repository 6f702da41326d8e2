package dev.sluice.pipeline;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

final class BackoffTest {
    @Test
    void shouldDoublePausesUpToALimitUntilSomethingSucceeds() {
        Backoff backoff = new Backoff();
        assertThat(backoff.failing()).isFalse();
        for (long millis : new long[] {1, 2, 4, 8, 16, 32, 64, 128, 128, 128}) {
            assertThat(backoff.nextPauseNanos()).isEqualTo(TimeUnit.MILLISECONDS.toNanos(millis));
            assertThat(backoff.failing()).isTrue();
        }
        backoff.reset();
        assertThat(backoff.failing()).isFalse();
        assertThat(backoff.nextPauseNanos()).isEqualTo(Backoff.FIRST_PAUSE_NANOS);
    }

    @Test
    void shouldBeginAndEndWhereItIsTold() {
        Backoff backoff = new Backoff(5, 2);
        for (long nanos : new long[] {5, 10, 20, 20}) {
            assertThat(backoff.nextPauseNanos()).isEqualTo(nanos);
        }
    }
}
