package dev.sluice.linux;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

@ExtendWith(FdLeakCheck.class)
class PollSetTest {
    @Test
    void shouldReportWhichDescriptorIsReady() {
        try (Fd quiet = Fd.adopt(EventFd.create(0, EventFd.EFD_CLOEXEC));
                Fd ready = Fd.adopt(EventFd.create(0, EventFd.EFD_CLOEXEC));
                PollSet set = new PollSet(2)) {
            assertThat(set.add(quiet.number(), Poll.POLLIN)).isZero();
            assertThat(set.add(ready.number(), Poll.POLLIN)).isEqualTo(1);
            assertThat(set.await(0)).isZero();
            assertThat(EventFd.signal(ready.number())).isZero();
            assertThat(set.await(-1)).isEqualTo(1);
            assertThat(set.revents(0)).isZero();
            assertThat(set.revents(1)).isEqualTo(Poll.POLLIN);
            set.setEvents(1, 0);
            assertThat(set.await(0)).isZero();
            assertThat(set.fd(1)).isEqualTo(ready.number());
        }
    }

    @Test
    void shouldReportHangUpWhenThePeerCloses() throws IOException {
        try (UnixSocket.Pair pair = UnixSocket.pair();
                PollSet set = new PollSet(1)) {
            set.add(pair.first().fd().number(), Poll.POLLRDHUP);
            pair.second().close();
            assertThat(set.await(-1)).isEqualTo(1);
            assertThat(set.revents(0) & Poll.POLLHUP).isNotZero();
        }
    }

    @Test
    void shouldRefuseMoreThanItsCapacity() {
        try (PollSet set = new PollSet(1)) {
            set.add(0, Poll.POLLIN);
            assertThatIllegalStateException().isThrownBy(() -> set.add(1, Poll.POLLIN));
            assertThatThrownBy(() -> set.revents(1)).isInstanceOf(IndexOutOfBoundsException.class);
            set.clear();
            assertThat(set.count()).isZero();
        }
    }
}
