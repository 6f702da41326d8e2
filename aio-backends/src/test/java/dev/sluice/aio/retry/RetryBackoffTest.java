package dev.sluice.aio.retry;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.linux.Errno;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

class RetryBackoffTest {
    @Test
    void shouldTryAtOnceThenPauseThenGiveUpAfterThirtySeconds() {
        RetryBackoff retries = new RetryBackoff();
        long now = Long.MAX_VALUE - 5;
        for (int i = 0; i < RetryBackoff.TRIES_AT_ONCE; i++) {
            assertThat(retries.next(now)).isEqualTo(RetryBackoff.AT_ONCE);
        }
        long slept = 0;
        int tries = 0;
        for (long pause = retries.next(now); pause != RetryBackoff.NEVER; pause = retries.next(now + slept)) {
            assertThat(pause).isBetween(TimeUnit.MILLISECONDS.toNanos(1), TimeUnit.MILLISECONDS.toNanos(128));
            slept += pause;
            tries++;
        }
        assertThat(slept).isBetween(TimeUnit.SECONDS.toNanos(30), TimeUnit.SECONDS.toNanos(31));
        assertThat(tries).isLessThan(300);
    }

    @Test
    void shouldGiveUpAfterThirtySecondsToTheNanosecond() {
        for (long beyond : new long[] {-1, 0, 1}) {
            RetryBackoff retries = new RetryBackoff();
            for (int i = 0; i < RetryBackoff.TRIES_AT_ONCE; i++) {
                long _ = retries.next(7);
            }
            assertThat(retries.next(7 + TimeUnit.SECONDS.toNanos(30) + beyond) == RetryBackoff.NEVER).isEqualTo(beyond >= 0);
        }
    }

    @Test
    void shouldStartAgainWhenSomethingMoved() {
        RetryBackoff retries = new RetryBackoff();
        for (int i = 0; i < 10; i++) {
            long _ = retries.next(0);
        }
        retries.clear();
        for (int i = 0; i < RetryBackoff.TRIES_AT_ONCE; i++) {
            assertThat(retries.next(TimeUnit.SECONDS.toNanos(100))).isEqualTo(RetryBackoff.AT_ONCE);
        }
        assertThat(retries.next(TimeUnit.SECONDS.toNanos(100))).isEqualTo(TimeUnit.MILLISECONDS.toNanos(1));
    }

    @Test
    void shouldCountOnlyEagainAndEintrAsRefusals() {
        assertThat(RetryBackoff.isRefusal(-Errno.EAGAIN)).isTrue();
        assertThat(RetryBackoff.isRefusal(-Errno.EINTR)).isTrue();
        assertThat(RetryBackoff.isRefusal(-Errno.EIO)).isFalse();
        assertThat(RetryBackoff.isRefusal(0)).isFalse();
    }
}
