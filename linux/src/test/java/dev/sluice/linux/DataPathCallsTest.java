package dev.sluice.linux;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.ThreadMXBean;
import java.lang.management.ManagementFactory;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** The calls of the data path make no object whatever the compiler does, and still tell their errno. */
class DataPathCallsTest {
    private static final ThreadMXBean THREADS = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    private static final int BYTES = 512;
    /** So few that they are interpreted or compiled by C1, which keeps each object that the code asks for. */
    private static final int CALLS = 500;

    private final Fd file = Fd.adopt(Memfd.create("data", Memfd.MFD_CLOEXEC));
    private final NativeBlock buffer = NativeMemory.allocate(BYTES, 512);
    private final NativeBlock iovec = NativeMemory.allocate(Iovec.SIZE, 8);

    @BeforeEach
    void fill() {
        Iovec.set(iovec.address(), 0, buffer.address(), BYTES);
        assertThat(LinuxFile.ftruncate(file.number(), BYTES)).isZero();
    }

    @AfterEach
    void close() {
        iovec.close();
        buffer.close();
        file.close();
    }

    private long transferOnce(int fd) {
        return LinuxFile.pwrite(fd, buffer.address(), BYTES, 0)
                + LinuxFile.pread(fd, buffer.address(), BYTES, 0)
                + LinuxFile.pwritev2(fd, iovec.address(), 1, 0, 0)
                + LinuxFile.preadv2(fd, iovec.address(), 1, 0, 0);
    }

    private long transfer() {
        long moved = 0;
        for (int i = 0; i < CALLS; i++) {
            moved += transferOnce(file.number());
            NativeMemory.surfaceFault();
        }
        return moved;
    }

    @Test
    void shouldMakeNoObjectEvenWhereTheCompilerRemovesNone() {
        transfer();
        long before = THREADS.getCurrentThreadAllocatedBytes();
        long moved = transfer();
        long bytes = THREADS.getCurrentThreadAllocatedBytes() - before;
        assertThat(moved).isEqualTo(4L * BYTES * CALLS);
        assertThat(bytes).as("bytes allocated by %d calls", 5 * CALLS).isLessThan(CALLS);
    }

    @Test
    void shouldTellTheErrnoOfEach() {
        long address = buffer.address();
        assertThat(LinuxFile.pread(-1, address, BYTES, 0)).isEqualTo(-Errno.EBADF);
        assertThat(LinuxFile.pwrite(-1, address, BYTES, 0)).isEqualTo(-Errno.EBADF);
        assertThat(LinuxFile.preadv2(-1, iovec.address(), 1, 0, 0)).isEqualTo(-Errno.EBADF);
        assertThat(LinuxFile.pwritev2(-1, iovec.address(), 1, 0, 0)).isEqualTo(-Errno.EBADF);
        assertThat(LinuxFile.pwritev2(-1, iovec.address(), 1, 0, LinuxFile.RWF_DSYNC)).isEqualTo(-Errno.EBADF);
        assertThat(LinuxFile.pread(file.number(), 8, BYTES, 0)).as("a bad address").isEqualTo(-Errno.EFAULT);
        assertThat(LinuxFile.pread(file.number(), address, BYTES, -5)).as("a negative offset").isEqualTo(-Errno.EINVAL);
    }
}
