package dev.sluice.virtio.vhostuser;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sluice.linux.Errno;
import dev.sluice.linux.EventFd;
import dev.sluice.linux.Fd;
import dev.sluice.linux.LinuxFile;
import dev.sluice.linux.UnixSocket;
import java.io.IOException;
import java.nio.file.Path;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A connection waits all the time, and accept4(2) answers what a limit, a seccomp filter or a security module makes it answer. */
@Timeout(120)
final class AcceptLoopTest {
    private static final long BACK_OFF_NANOS = 1_000_000_000L;
    private static final int UNKNOWN = 4000;

    @TempDir
    Path directory;

    @ParameterizedTest
    @ValueSource(ints = {Errno.EPERM, Errno.EACCES, Errno.ENOSYS, Errno.EMFILE, Errno.ENFILE, Errno.ENOMEM, Errno.EOPNOTSUPP, UNKNOWN})
    void shouldBackOffWhenAConnectionCannotBeAccepted(int errno) throws Exception {
        assertThat(callsWithinASecond(-errno)).isLessThanOrEqualTo(1);
    }

    @ParameterizedTest
    @ValueSource(ints = {Errno.EAGAIN, Errno.EINTR, Errno.ECONNABORTED})
    void shouldBackOffWhenConnectionsVanishWithoutEnd(int errno) throws Exception {
        assertThat(callsWithinASecond(-errno)).isLessThanOrEqualTo(64);
    }

    /** How often accept4 was called, less what the time that it took allows. */
    private int callsWithinASecond(int result) throws Exception {
        AtomicInteger calls = new AtomicInteger();
        try (UnixSocket listening = UnixSocket.listenAt(directory.resolve("s").toString(), 1);
                UnixSocket _ = UnixSocket.connectTo(directory.resolve("s").toString());
                Fd wake = Fd.adopt(EventFd.create(0, EventFd.EFD_CLOEXEC | EventFd.EFD_NONBLOCK))) {
            AcceptLoop loop = new AcceptLoop(
                    wake.number(),
                    listening.fd().number(),
                    () -> {
                        calls.incrementAndGet();
                        return result;
                    },
                    Fd::close,
                    new ConnectionLog("test"));
            long begun = System.nanoTime();
            loop.run(() -> System.nanoTime() - begun > BACK_OFF_NANOS / 2);
            long intervals = (System.nanoTime() - begun) / BACK_OFF_NANOS;
            return calls.get() - (int) Math.max(0, intervals - 1);
        }
    }

    @Test
    void shouldServeTheConnectionThatWaitedWhenItCanBeAccepted() throws Exception {
        AtomicInteger calls = new AtomicInteger();
        AtomicInteger served = new AtomicInteger();
        try (UnixSocket listening = UnixSocket.listenAt(directory.resolve("s").toString(), 1);
                UnixSocket _ = UnixSocket.connectTo(directory.resolve("s").toString());
                Fd wake = Fd.adopt(EventFd.create(0, EventFd.EFD_CLOEXEC | EventFd.EFD_NONBLOCK))) {
            assertThat(LinuxFile.setNonBlocking(listening.fd().number(), true)).isZero();
            new AcceptLoop(
                    wake.number(),
                    listening.fd().number(),
                    () -> calls.getAndIncrement() == 0 ? -Errno.EPERM : listening.accept(),
                    accepted -> {
                        accepted.close();
                        served.incrementAndGet();
                    },
                    new ConnectionLog("test"))
                    .run(() -> served.get() == 1);
        }
        assertThat(calls).hasValue(2);
    }

    @Test
    void shouldEndWhenTheSocketItselfHasFailed() throws Exception {
        assertThatThrownBy(() -> callsWithinASecond(-Errno.EINVAL)).isInstanceOf(IOException.class).hasMessageContaining("accept: EINVAL");
    }
}
