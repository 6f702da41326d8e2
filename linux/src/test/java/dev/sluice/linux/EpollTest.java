package dev.sluice.linux;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

@ExtendWith(FdLeakCheck.class)
class EpollTest {
    @Test
    void shouldReturnTheDataOfWhatIsReady() throws IOException {
        try (Epoll epoll = Epoll.create(4);
                Fd a = Fd.adopt(EventFd.create(0, EventFd.EFD_CLOEXEC));
                Fd b = Fd.adopt(EventFd.create(0, EventFd.EFD_CLOEXEC))) {
            assertThat(epoll.add(a.number(), Epoll.EPOLLIN, 0x1234_5678_9abc_def0L)).isZero();
            assertThat(epoll.add(b.number(), Epoll.EPOLLIN, -1)).isZero();
            assertThat(epoll.add(b.number(), Epoll.EPOLLIN, -1)).isEqualTo(-Errno.EEXIST);
            assertThat(epoll.await(0)).isZero();
            assertThat(EventFd.signal(a.number())).isZero();
            assertThat(epoll.await(-1)).isEqualTo(1);
            assertThat(epoll.data(0)).isEqualTo(0x1234_5678_9abc_def0L);
            assertThat(epoll.events(0)).isEqualTo(Epoll.EPOLLIN);
            assertThatThrownBy(() -> epoll.data(1)).isInstanceOf(IndexOutOfBoundsException.class);
            assertThat(EventFd.signal(b.number())).isZero();
            assertThat(epoll.await(-1)).isEqualTo(2);
            assertThat(epoll.remove(a.number())).isZero();
            assertThat(epoll.modify(b.number(), Epoll.EPOLLIN, 7)).isZero();
            assertThat(epoll.await(-1)).isEqualTo(1);
            assertThat(epoll.data(0)).isEqualTo(7);
        }
    }

    @Test
    void shouldReportEverySignalOnceWithoutAReadWhenEdgeTriggered() throws IOException {
        try (Epoll epoll = Epoll.create(1);
                Fd event = Fd.adopt(EventFd.create(0, EventFd.EFD_CLOEXEC))) {
            assertThat(epoll.add(event.number(), Epoll.EPOLLIN | Epoll.EPOLLET, 1)).isZero();
            for (int i = 0; i < 3; i++) {
                assertThat(EventFd.signal(event.number())).isZero();
                assertThat(epoll.await(0)).isEqualTo(1);
                assertThat(epoll.await(0)).isZero();
            }
        }
    }
}
