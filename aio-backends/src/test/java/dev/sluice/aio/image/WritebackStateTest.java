package dev.sluice.aio.image;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.linux.CapturedLog;
import dev.sluice.linux.Errno;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Once a sync has failed, nothing is promised any more. */
class WritebackStateTest {
    private final WritebackState state = new WritebackState("test");

    @Test
    void shouldPassOnWhatSucceedsWhileNothingHasFailed() {
        assertThat(state.synced(0)).isZero();
        assertThat(state.written(4096)).isEqualTo(4096);
        assertThat(state.failed()).isFalse();
    }

    @ParameterizedTest
    @ValueSource(ints = {Errno.EIO, Errno.ENOSPC, Errno.EDQUOT, Errno.ENOMEM, Errno.EROFS, Errno.ENODEV, Errno.EBADF})
    void shouldFailWhatCompletesAfterASyncThatFailed(int errno) {
        assertThat(state.synced(-errno)).as("its own reason").isEqualTo(-errno);
        assertThat(state.failed()).isTrue();
        assertThat(state.synced(0)).as("a sync that was in flight with it").isEqualTo(-Errno.EIO);
        assertThat(state.written(4096)).as("a durable write that was in flight with it").isEqualTo(-Errno.EIO);
        assertThat(state.synced(-Errno.ENOSPC)).isEqualTo(-Errno.ENOSPC);
    }

    @ParameterizedTest
    @ValueSource(ints = {Errno.EAGAIN, Errno.EINTR, Errno.ECANCELED, Errno.EINVAL})
    void shouldNotCountASyncThatDidNotRun(int errno) {
        assertThat(state.synced(-errno)).isEqualTo(-errno);
        assertThat(state.written(-errno)).isEqualTo(-errno);
        assertThat(state.failed()).isFalse();
    }

    @ParameterizedTest
    @ValueSource(ints = {Errno.EFAULT, Errno.EFBIG, Errno.EOPNOTSUPP})
    void shouldNotCountWhatOnlyTheWriteCanHaveFailedWith(int errno) {
        assertThat(state.written(-errno)).isEqualTo(-errno);
        assertThat(state.failed()).isFalse();
        assertThat(state.synced(-errno)).isEqualTo(-errno);
        assertThat(state.failed()).isTrue();
    }

    @Test
    void shouldLogTheFirstFailureAlone() {
        try (CapturedLog logged = new CapturedLog()) {
            assertThat(state.synced(-Errno.EAGAIN)).isEqualTo(-Errno.EAGAIN);
            assertThat(logged.containing("image test")).isEmpty();
            for (int errno : new int[] {Errno.ENOSPC, Errno.EIO, Errno.EIO}) {
                assertThat(state.synced(-errno)).isEqualTo(-errno);
            }
            assertThat(logged.containing("image test: sync failed: ENOSPC")).hasSize(1);
            assertThat(logged.containing("image test")).hasSize(1);
        }
    }
}
