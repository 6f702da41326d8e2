package dev.sluice.linux;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

@ExtendWith(FdLeakCheck.class)
class FdTest {
    @Test
    void shouldCloseTheDescriptorOnceWhenClosedTwice() {
        Fd fd = Fd.adopt(EventFd.create(0, EventFd.EFD_CLOEXEC));
        int number = fd.number();
        assertThat(fd.isOpen()).isTrue();
        assertThat(fd).hasToString("Fd[" + number + "]");
        fd.close();
        assertThat(LinuxFile.flags(number)).isEqualTo(-Errno.EBADF);
        // The number is free again and the next descriptor takes it: a second close must not hit that one.
        try (Fd next = Fd.adopt(EventFd.create(0, EventFd.EFD_CLOEXEC))) {
            fd.close();
            assertThat(LinuxFile.flags(next.number())).isNotNegative();
        }
        assertThat(fd.isOpen()).isFalse();
        assertThat(fd).hasToString("Fd[closed]");
        assertThatIllegalStateException().isThrownBy(fd::number);
        assertThatIllegalStateException().isThrownBy(fd::release);
    }

    @Test
    void shouldLeaveTheDescriptorOpenWhenReleased() {
        Fd fd = Fd.adopt(EventFd.create(0, EventFd.EFD_CLOEXEC));
        int number = fd.release();
        fd.close();
        assertThat(LinuxFile.flags(number)).isNotNegative();
        assertThat(Fd.closeNumber(number)).isZero();
    }

    @Test
    void shouldRefuseAnErrno() {
        assertThatIllegalArgumentException().isThrownBy(() -> Fd.adopt(-Errno.EMFILE));
    }

    @Test
    void shouldReleaseToExactlyOneWhenRacing() throws InterruptedException {
        for (int round = 0; round < 200; round++) {
            Fd fd = Fd.adopt(EventFd.create(0, EventFd.EFD_CLOEXEC));
            CountDownLatch start = new CountDownLatch(1);
            int[] released = {-1, -1};
            Thread[] threads = new Thread[2];
            for (int i = 0; i < 2; i++) {
                int mine = i;
                threads[i] =
                        Thread.ofPlatform()
                                .start(
                                        () -> {
                                            try {
                                                start.await();
                                                released[mine] = fd.release();
                                            } catch (IllegalStateException | InterruptedException e) {
                                                released[mine] = -1;
                                            }
                                        });
            }
            start.countDown();
            threads[0].join();
            threads[1].join();
            assertThat(released[0] >= 0 ^ released[1] >= 0).isTrue();
            assertThat(Fd.closeNumber(Math.max(released[0], released[1]))).isZero();
        }
    }
}
