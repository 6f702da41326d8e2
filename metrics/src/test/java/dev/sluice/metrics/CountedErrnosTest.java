package dev.sluice.metrics;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.linux.Errno;
import dev.sluice.pipeline.BlockStatus;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/** Errnos with a counter of their own, and the one for all others. */
final class CountedErrnosTest {
    @Test
    void shouldHaveACounterForEachErrnoAndOneForTheRest() {
        int[] counted = {
            Errno.EIO, Errno.ENOSPC, Errno.EDQUOT, Errno.EROFS, Errno.EINVAL, Errno.EFAULT,
            Errno.ENOMEM, Errno.ETIMEDOUT, Errno.ECANCELED, Errno.ESHUTDOWN, Errno.EOPNOTSUPP
        };
        assertThat(CountedErrnos.COUNT).isEqualTo(counted.length + 1);
        int rest = CountedErrnos.indexOf(Errno.EMFILE);
        for (int errno : counted) {
            int index = CountedErrnos.indexOf(errno);
            assertThat(index).isBetween(0, CountedErrnos.COUNT - 1).isNotEqualTo(rest);
            assertThat(CountedErrnos.name(index)).isEqualTo(Errno.name(errno));
            assertThat(CountedErrnos.status(index)).isEqualTo(errno == Errno.EOPNOTSUPP ? BlockStatus.UNSUPP : BlockStatus.IOERR);
        }
        assertThat(IntStream.of(counted).map(CountedErrnos::indexOf)).doesNotHaveDuplicates();
        assertThat(CountedErrnos.name(rest)).isEqualTo("other");
        assertThat(CountedErrnos.status(rest)).isEqualTo(BlockStatus.IOERR);
        assertThat(CountedErrnos.indexOf(0)).isEqualTo(rest);
    }
}
