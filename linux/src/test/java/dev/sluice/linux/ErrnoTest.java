package dev.sluice.linux;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.reflect.Field;
import java.util.HashSet;
import java.util.Set;
import org.junit.jupiter.api.Test;

class ErrnoTest {
    @Test
    void shouldNameEveryConstantAsItsFieldWhenAskedWithEitherSign() throws IllegalAccessException {
        Set<Integer> seen = new HashSet<>();
        for (Field field : Errno.class.getFields()) {
            int errno = field.getInt(null);
            assertThat(errno).isPositive();
            assertThat(seen.add(errno)).as(field.getName()).isTrue();
            assertThat(Errno.name(errno)).isEqualTo(field.getName());
            assertThat(Errno.name(-errno)).isEqualTo(field.getName());
            assertThat(Errno.describe(errno)).startsWith(field.getName() + " (").endsWith(")");
        }
        assertThat(seen).hasSizeGreaterThan(60);
    }

    @Test
    void shouldDescribeWithMeaningWhenKnown() {
        assertThat(Errno.describe(-Errno.ENOSPC)).isEqualTo("ENOSPC (no space left on device)");
        assertThat(Errno.describe(Errno.EIO)).isEqualTo("EIO (input/output error)");
    }

    @Test
    void shouldShowTheNumberWhenUnknown() {
        assertThat(Errno.name(-4095)).isEqualTo("errno 4095");
        assertThat(Errno.describe(4095)).isEqualTo("errno 4095");
    }

    @Test
    void shouldSayInOneLineWhichCallFailedOnWhatAndWhatToDo() {
        ErrnoException failed = new ErrnoException("open", "/a/b", -Errno.ENOENT, "create it first");
        assertThat(failed).hasMessage("open /a/b: " + Errno.describe(Errno.ENOENT) + ": create it first");
        assertThat(failed.errno()).isEqualTo(Errno.ENOENT);
        ErrnoException bare = new ErrnoException("eventfd", "", Errno.EIO, "");
        assertThat(bare).hasMessage("eventfd: EIO (input/output error)");
        assertThat(bare.errno()).isEqualTo(Errno.EIO);
    }

    @Test
    void shouldSayHowManyFilesMayBeOpenWhereNothingElseIsAdvised() {
        assertThat(new ErrnoException("open", "/a", -Errno.EMFILE, "")).hasMessageEndingWith(": " + OpenFileLimit.advice());
        assertThat(new ErrnoException("open", "/a", -Errno.EMFILE, "close some")).hasMessageEndingWith(": close some");
    }
}
