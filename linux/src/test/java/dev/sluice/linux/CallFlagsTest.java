package dev.sluice.linux;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.channels.Selector;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Flags reach the kernel, and a call whose failure the kernel reports once is made once. */
class CallFlagsTest {
    private static final Path COUNTERS = Path.of("/proc/thread-self/io");
    private static final int UNKNOWN_FLAG = 1 << 30;
    private static final int F_GETFD = 1;
    private static final int FD_CLOEXEC = 1;

    private final Fd file = Fd.adopt(Memfd.create("flags", Memfd.MFD_CLOEXEC));
    private final NativeBlock block = NativeMemory.allocate(512, 512);
    private final NativeBlock iovec = NativeMemory.allocate(Iovec.SIZE, 16);

    @BeforeEach
    void fill() {
        Iovec.set(iovec.address(), 0, block.address(), 512);
    }

    @AfterEach
    void close() {
        file.close();
        block.close();
        iovec.close();
    }

    @Test
    void shouldHandFlagsToTheKernel() {
        assertThat(LinuxFile.pwritev2(file.number(), iovec.address(), 1, 0, LinuxFile.RWF_DSYNC)).isEqualTo(512);
        assertThat(LinuxFile.pwritev2(file.number(), iovec.address(), 1, 0, UNKNOWN_FLAG)).isEqualTo(-Errno.EOPNOTSUPP);
        assertThat(LinuxFile.preadv2(file.number(), iovec.address(), 1, 0, UNKNOWN_FLAG)).isEqualTo(-Errno.EOPNOTSUPP);
    }

    private static long writeCalls() throws IOException {
        return Files.readAllLines(COUNTERS).stream().filter(line -> line.startsWith("syscw: ")).mapToLong(line -> Long.parseLong(line.substring(7))).sum();
    }

    /**
     * It is repeated to learn the errno where that does no harm. A write that syncs may report the failure of an earlier one, which a second call
     * would not find.
     */
    @Test
    void shouldNotRepeatAWriteThatSyncs() throws IOException {
        boolean counted = Files.isReadable(COUNTERS) && Files.readString(COUNTERS).contains("syscw: ");
        if (!counted) {
            System.out.println("SKIPPED: this kernel does not count the system calls of a thread (CONFIG_TASK_IO_ACCOUNTING)");
        }
        assumeTrue(counted, "SKIPPED: no counters of system calls");
        try (Fd readOnly = LinuxFile.openOrThrow("/dev/null", LinuxFile.O_RDONLY | LinuxFile.O_CLOEXEC, 0)) {
            assertThat(LinuxFile.pwritev2(readOnly.number(), iovec.address(), 1, 0, LinuxFile.RWF_DSYNC)).isEqualTo(-Errno.EBADF);
            long before = writeCalls();
            assertThat(LinuxFile.pwritev2(readOnly.number(), iovec.address(), 1, 0, 0)).isEqualTo(-Errno.EBADF);
            long repeated = writeCalls() - before;
            before = writeCalls();
            assertThat(LinuxFile.pwritev2(readOnly.number(), iovec.address(), 1, 0, LinuxFile.RWF_DSYNC)).isEqualTo(-Errno.EBADF);
            assertThat(writeCalls() - before).isEqualTo(1);
            assertThat(repeated).as("without a sync; if this fails the counter counts no calls that fail").isEqualTo(2);
        }
    }

    @Test
    void shouldSyncByTheKernel() {
        int eventFd = EventFd.create(0, EventFd.EFD_CLOEXEC);
        try (Fd cannotSync = Fd.adopt(eventFd)) {
            assertThat(LinuxFile.fdatasync(cannotSync.number())).isEqualTo(-Errno.EINVAL);
            assertThat(LinuxFile.fsync(cannotSync.number())).isEqualTo(-Errno.EINVAL);
        }
        assertThat(LinuxFile.fdatasync(file.number())).isZero();
        assertThat(LinuxFile.fdatasync(-1)).isEqualTo(-Errno.EBADF);
    }

    /** A process that is started meanwhile must not inherit a guest's descriptors. */
    @Test
    void shouldCloseDuplicatesOnExec() {
        try (Fd duplicate = Fd.adopt(LinuxFile.duplicate(file.number()))) {
            assertThat(LinuxFile.fcntl(duplicate.number(), F_GETFD, 0) & FD_CLOEXEC).isEqualTo(FD_CLOEXEC);
            assertThat(duplicate.number()).as("not one of the standard streams").isGreaterThan(2);
        }
    }

    /** Its name begins alike. A loop would wait on what a peer has put into it. */
    @Test
    void shouldNotTreatAnEpollInstanceAsAnEventfd() throws IOException {
        // A selector of the JDK has one.
        try (Selector _ = Selector.open(); Stream<Path> descriptors = Files.list(Path.of("/proc/self/fd"))) {
            int epoll = descriptors.map(path -> Integer.parseInt(path.getFileName().toString()))
                    .filter(number -> LinuxFile.descriptorName(number).equals("anon_inode:[eventpoll]"))
                    .findFirst()
                    .orElseThrow();
            assertThat(EventFd.isEventFd(epoll)).isFalse();
        }
    }
}
