package dev.sluice.virtio.vhostuser;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;

import dev.sluice.linux.CapturedLog;
import dev.sluice.linux.Errno;
import dev.sluice.linux.EventFd;
import dev.sluice.linux.Fd;
import dev.sluice.linux.LinuxFile;
import dev.sluice.linux.OpenFileLimit;
import dev.sluice.linux.UnixSocket;
import dev.sluice.pipeline.LogLimiter;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;
import java.util.function.IntSupplier;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
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
        assertThat(callsWithinASecond(-errno)).isLessThanOrEqualTo(4);
    }

    @ParameterizedTest
    @ValueSource(ints = {Errno.EAGAIN, Errno.EINTR, Errno.ECONNABORTED})
    void shouldBackOffWhenConnectionsVanishWithoutEnd(int errno) throws Exception {
        assertThat(callsWithinASecond(-errno)).isLessThanOrEqualTo(4 * 32);
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
            // Pauses of 64, 128 and 256 ms.
            boolean _ = loop.run(() -> System.nanoTime() - begun > BACK_OFF_NANOS / 2, AcceptLoop.FOREVER);
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
            AcceptLoop loop = new AcceptLoop(
                    wake.number(),
                    listening.fd().number(),
                    () -> calls.getAndIncrement() == 0 ? -Errno.EPERM : listening.accept(),
                    accepted -> {
                        accepted.close();
                        served.incrementAndGet();
                    },
                    new ConnectionLog("test"));
            assertThat(loop.run(() -> served.get() == 1, AcceptLoop.FOREVER)).isFalse();
        }
        assertThat(calls).hasValue(2);
    }

    @Test
    void shouldEndWhenTheSocketItselfHasFailed() throws Exception {
        assertThatThrownBy(() -> callsWithinASecond(-Errno.EINVAL)).isInstanceOf(IOException.class).hasMessageContaining("accept: EINVAL");
    }

    // ---- without waiting

    private static final Duration PATIENCE = Duration.ofSeconds(20);

    private final AtomicInteger served = new AtomicInteger();

    /** Runs a loop over a socket that a connection waits for, with what accept4 returns, until {@code connections} have been served. */
    private void serve(int connections, ConnectionLog log, IntSupplier accept) {
        assertTimeoutPreemptively(PATIENCE, () -> {
            try (UnixSocket listening = UnixSocket.listenAt(directory.resolve("s").toString(), 1);
                    UnixSocket _ = UnixSocket.connectTo(directory.resolve("s").toString());
                    Fd wake = Fd.adopt(EventFd.create(0, EventFd.EFD_CLOEXEC | EventFd.EFD_NONBLOCK))) {
                Consumer<Fd> serve = accepted -> {
                    int _ = accepted.release();
                    served.incrementAndGet();
                };
                AcceptLoop loop = new AcceptLoop(wake.number(), listening.fd().number(), accept, serve, log);
                assertThat(loop.run(() -> served.get() == connections, AcceptLoop.FOREVER)).isFalse();
            }
        });
    }

    /** A second later would be too late for a guest that starts. Descriptor 0 is one as well, where standard input was closed. */
    @Test
    void shouldServeOneConnectionAfterAnotherWithoutWaiting() {
        long begun = System.nanoTime();
        serve(10, new ConnectionLog("test"), () -> 0);
        assertThat(System.nanoTime() - begun).isLessThan(9 * BACK_OFF_NANOS);
    }

    @Test
    void shouldNotWaitForAConnectionBecauseOthersHaveVanished() {
        AtomicInteger calls = new AtomicInteger();
        long begun = System.nanoTime();
        serve(1, new ConnectionLog("test"), () -> calls.incrementAndGet() < 12 ? -Errno.ECONNABORTED : 0);
        assertThat(System.nanoTime() - begun).isLessThan(10 * BACK_OFF_NANOS);
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
            24  | EMFILE   | ulimit
            23  | ENFILE   | raise fs.file-max of this machine
            12  | ENOMEM   | there is no memory for it in the kernel
            105 | ENOBUFS  | there is no memory for it in the kernel
            1   | EPERM    | allow it in the seccomp filter or security module that this process runs under
            95  | EOPNOTSUPP | trying again each second
            """)
    void shouldSayWhyAConnectionCannotBeAcceptedAndWhatToDo(int errno, String name, String advice) {
        AtomicInteger calls = new AtomicInteger();
        try (CapturedLog log = new CapturedLog()) {
            serve(1, new ConnectionLog("disk.sock"), () -> calls.getAndIncrement() == 0 ? -errno : 0);
            assertThat(log.text()).contains("disk.sock: a connection waits and cannot be accepted: accept4: " + name);
            assertThat(log.text()).contains(errno == Errno.EMFILE ? OpenFileLimit.advice() : advice);
        }
    }

    /** Lines are limited for each user at the other end, and whoever was served is there no more. */
    @Test
    void shouldNotTakeAFailureForThatOfTheFrontEndServedLast() {
        ConnectionLog log = new ConnectionLog("disk.sock");
        try (CapturedLog captured = new CapturedLog()) {
            log.peer(1000);
            for (int i = 0; i < 3 * LogLimiter.BURST; i++) {
                log.warn(ConnectionLog.Kind.ACCEPT, "one of many");
            }
            AtomicInteger calls = new AtomicInteger();
            serve(2, log, () -> calls.incrementAndGet() == 2 ? -Errno.EPERM : 0);
            assertThat(captured.text()).contains("EPERM");
        }
    }

    /** {@code closing} becomes true between two questions; the socket may be shut down by then. */
    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void shouldEndQuietlyWhenItIsClosedWhileItWaits(boolean shutDown) throws Exception {
        try (UnixSocket listening = UnixSocket.listenAt(directory.resolve("s").toString(), 1);
                UnixSocket _ = UnixSocket.connectTo(directory.resolve("s").toString());
                Fd wake = Fd.adopt(EventFd.create(0, EventFd.EFD_CLOEXEC | EventFd.EFD_NONBLOCK))) {
            assertThat(EventFd.signal(wake.number())).isZero();
            if (shutDown) {
                assertThat(listening.shutdown(UnixSocket.SHUT_RDWR)).isZero();
            }
            AtomicInteger asked = new AtomicInteger();
            AtomicInteger accepts = new AtomicInteger();
            AcceptLoop loop = new AcceptLoop(wake.number(), listening.fd().number(), () -> -accepts.incrementAndGet(), Fd::close, new ConnectionLog("test"));
            assertTimeoutPreemptively(PATIENCE, () -> assertThat(loop.run(() -> asked.getAndIncrement() > 0, AcceptLoop.FOREVER)).isFalse());
            assertThat(accepts).hasValue(0);
        }
    }

    @Test
    void shouldSayThatTheSocketWasShutDownBySomebodyElse() throws Exception {
        try (UnixSocket listening = UnixSocket.listenAt(directory.resolve("s").toString(), 1);
                Fd wake = Fd.adopt(EventFd.create(0, EventFd.EFD_CLOEXEC | EventFd.EFD_NONBLOCK))) {
            assertThat(listening.shutdown(UnixSocket.SHUT_RDWR)).isZero();
            AcceptLoop loop = new AcceptLoop(wake.number(), listening.fd().number(), () -> -Errno.EAGAIN, Fd::close, new ConnectionLog("test"));
            assertTimeoutPreemptively(PATIENCE, () -> assertThatThrownBy(() -> loop.run(() -> false, AcceptLoop.FOREVER))
                    .isInstanceOf(IOException.class)
                    .hasMessage("the listening socket was shut down or closed by somebody else"));
        }
    }

    @Test
    void shouldEndWhenItIsWoken() throws Exception {
        try (UnixSocket listening = UnixSocket.listenAt(directory.resolve("s").toString(), 1);
                Fd wake = Fd.adopt(EventFd.create(0, EventFd.EFD_CLOEXEC | EventFd.EFD_NONBLOCK))) {
            AtomicBoolean closing = new AtomicBoolean();
            AcceptLoop loop = new AcceptLoop(wake.number(), listening.fd().number(), listening::accept, Fd::close, new ConnectionLog("test"));
            Thread running = Thread.ofPlatform().start(() -> {
                try {
                    boolean _ = loop.run(closing::get, AcceptLoop.FOREVER);
                } catch (IOException failed) {
                    throw new UncheckedIOException(failed);
                }
            });
            closing.set(true);
            assertThat(EventFd.signal(wake.number())).isZero();
            assertThat(running.join(PATIENCE)).isTrue();
        }
    }

    /** Somebody has connected and gone meanwhile: the time runs from then on. */
    @Test
    void shouldReturnOnceNobodyConnectsForAWhile() throws Exception {
        try (UnixSocket listening = UnixSocket.listenAt(directory.resolve("s").toString(), 1);
                UnixSocket _ = UnixSocket.connectTo(directory.resolve("s").toString());
                Fd wake = Fd.adopt(EventFd.create(0, EventFd.EFD_CLOEXEC | EventFd.EFD_NONBLOCK))) {
            AtomicInteger accepted = new AtomicInteger();
            AcceptLoop loop = new AcceptLoop(wake.number(), listening.fd().number(), listening::accept, connection -> {
                connection.close();
                accepted.incrementAndGet();
            }, new ConnectionLog("test"));
            assertTimeoutPreemptively(PATIENCE, () -> assertThat(loop.run(() -> false, 50)).isTrue());
            assertThat(accepted).hasValue(1);
        }
    }
}
