package dev.sluice.aio.sink;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.linux.Errno;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

class RefusalsTest {
    @Test
    void shouldTryAtOnceThenPauseThenGiveUpAfterThirtySeconds() {
        Refusals refusals = new Refusals();
        long now = Long.MAX_VALUE - 5;
        for (int i = 0; i < Refusals.TRIES_AT_ONCE; i++) {
            assertThat(refusals.next(now)).isEqualTo(Refusals.AT_ONCE);
        }
        long slept = 0;
        int tries = 0;
        for (long pause = refusals.next(now); pause != Refusals.NEVER; pause = refusals.next(now + slept)) {
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
            Refusals refusals = new Refusals();
            for (int i = 0; i < Refusals.TRIES_AT_ONCE; i++) {
                long _ = refusals.next(7);
            }
            assertThat(refusals.next(7 + TimeUnit.SECONDS.toNanos(30) + beyond) == Refusals.NEVER).isEqualTo(beyond >= 0);
        }
    }

    @Test
    void shouldStartAnewWhenSomethingMoved() {
        Refusals refusals = new Refusals();
        for (int i = 0; i < 10; i++) {
            long _ = refusals.next(0);
        }
        refusals.clear();
        assertThat(refusals.next(TimeUnit.SECONDS.toNanos(100))).isEqualTo(Refusals.AT_ONCE);
    }

    @Test
    void shouldCountOnlyEagainAndEintrAsRefusals() {
        assertThat(Refusals.isRefusal(-Errno.EAGAIN)).isTrue();
        assertThat(Refusals.isRefusal(-Errno.EINTR)).isTrue();
        assertThat(Refusals.isRefusal(-Errno.EIO)).isFalse();
        assertThat(Refusals.isRefusal(0)).isFalse();
    }
}
