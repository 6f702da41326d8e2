package dev.sluice.linux;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

@ExtendWith(FdLeakCheck.class)
class OfdLockTest {
    @TempDir
    Path directory;
    private Fd first;
    private Fd second;

    @BeforeEach
    void open() throws IOException {
        String path = directory.resolve("locked").toString();
        first = LinuxFile.openOrThrow(path, LinuxFile.O_RDWR | LinuxFile.O_CREAT | LinuxFile.O_CLOEXEC, 0600);
        second = LinuxFile.openOrThrow(path, LinuxFile.O_RDWR | LinuxFile.O_CLOEXEC, 0);
    }

    @AfterEach
    void close() {
        first.close();
        second.close();
    }

    @Test
    void shouldExcludeAnotherOpenFileOfTheSameProcess() {
        assertThat(OfdLock.exclusive(first.number(), 0, 10)).isZero();
        assertThat(OfdLock.shared(second.number(), 9, 1)).isEqualTo(-Errno.EAGAIN);
        assertThat(OfdLock.testShared(second.number(), 9, 1)).isEqualTo(-Errno.EAGAIN);
        assertThat(OfdLock.exclusive(second.number(), 10, 0)).isZero();
        assertThat(OfdLock.unlock(first.number(), 0, 10)).isZero();
        assertThat(OfdLock.testExclusive(second.number(), 0, 0)).isZero();
    }

    @Test
    void shouldShareWithAnotherReader() {
        assertThat(OfdLock.shared(first.number(), 100, 1)).isZero();
        assertThat(OfdLock.shared(second.number(), 100, 1)).isZero();
        assertThat(OfdLock.testShared(second.number(), 100, 1)).isZero();
        assertThat(OfdLock.testExclusive(second.number(), 100, 1)).isEqualTo(-Errno.EAGAIN);
        assertThat(OfdLock.exclusive(second.number(), 100, 1)).isEqualTo(-Errno.EAGAIN);
    }

    @Test
    void shouldUnlockWhenTheLastDescriptorIsClosed() {
        assertThat(OfdLock.exclusive(first.number(), 0, 0)).isZero();
        first.close();
        assertThat(OfdLock.exclusive(second.number(), 0, 0)).isZero();
    }
}
