package dev.sluice.linux;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.ThreadMXBean;
import java.lang.management.ManagementFactory;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

@ExtendWith(FdLeakCheck.class)
class EventFdTest {
    private static final ThreadMXBean THREADS = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    private static final int FLAGS = EventFd.EFD_CLOEXEC | EventFd.EFD_NONBLOCK;

    @Test
    void shouldDrainTheSumOfSignals() {
        try (Fd event = Fd.adopt(EventFd.create(3, FLAGS))) {
            assertThat(EventFd.signal(event.number())).isZero();
            assertThat(EventFd.signal(event.number())).isZero();
            assertThat(EventFd.drain(event.number())).isEqualTo(5);
            assertThat(EventFd.drain(event.number())).isEqualTo(-Errno.EAGAIN);
        }
    }

    @Test
    void shouldReturnAnErrnoWhenTheDescriptorIsNotOpen() {
        int number = EventFd.create(0, FLAGS);
        assertThat(Fd.closeNumber(number)).isZero();
        assertThat(EventFd.signal(number)).isEqualTo(-Errno.EBADF);
        assertThat(EventFd.drain(number)).isEqualTo(-Errno.EBADF);
        assertThat(EventFd.isEventFd(number)).isFalse();
    }

    @Test
    void shouldNotMistakeAHugeCounterForAnErrnoWhenAPeerWroteIt() {
        try (Fd event = Fd.adopt(EventFd.create(0, FLAGS));
                NativeBlock counter = NativeMemory.allocate(8, 8)) {
            // eventfd(2): the largest counter is 2^64 - 2, which is -2 as a long.
            NativeMemory.putLong(counter.address(), -2);
            assertThat(LinuxFile.write(event.number(), counter.address(), 8)).isEqualTo(8);
            assertThat(EventFd.signal(event.number())).isEqualTo(-Errno.EAGAIN);
            assertThat(EventFd.drain(event.number())).isEqualTo(Long.MAX_VALUE);
        }
    }

    @Test
    void shouldTellAnEventFdFromAFile() {
        try (Fd event = Fd.adopt(EventFd.create(0, FLAGS));
                Fd file = Fd.adopt(Memfd.create("anon_inode:[eventfd]", Memfd.MFD_CLOEXEC))) {
            assertThat(EventFd.isEventFd(event.number())).isTrue();
            assertThat(EventFd.isEventFd(file.number())).isFalse();
        }
    }

    @Test
    void shouldAllocateNothingOnceCompiled() {
        try (Fd event = Fd.adopt(EventFd.create(0, FLAGS))) {
            long leastBytes = Long.MAX_VALUE;
            for (int round = 0; round < 50 && leastBytes > 0; round++) {
                long before = THREADS.getCurrentThreadAllocatedBytes();
                for (int i = 0; i < 20_000; i++) {
                    EventFd.signal(event.number());
                    EventFd.drain(event.number());
                }
                leastBytes = Math.min(leastBytes, THREADS.getCurrentThreadAllocatedBytes() - before);
            }
            assertThat(leastBytes).as("bytes allocated by 20000 signals and drains").isZero();
        }
    }
}
