package dev.sluice.linux;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Arrays;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

@ExtendWith(FdLeakCheck.class)
class UnixSocketTest {
    private static final int F_GETFD = 1;
    private static final int FD_CLOEXEC = 1;

    @TempDir
    Path directory;
    private final NativeBlock buffer = NativeMemory.allocate(1024, 8);

    @AfterEach
    void free() {
        buffer.close();
    }

    @Test
    void shouldBeForTheOwnerOnlyWhenBound() throws IOException {
        Path path = directory.resolve("socket");
        try (UnixSocket listener = UnixSocket.listenAt(path.toString(), 1)) {
            assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(path))).isEqualTo("rw-------");
            assertThat(listener.isListening()).isTrue();
        }
    }

    @Test
    void shouldExchangeBytesWhenConnected() throws IOException {
        String path = directory.resolve("socket").toString();
        try (UnixSocket listener = UnixSocket.listenAt(path, 1);
                UnixSocket client = UnixSocket.connectTo(path);
                UnixSocket server = UnixSocket.adopt(Fd.adopt(listener.accept()));
                ReceivedFds fds = new ReceivedFds()) {
            NativeMemory.putLong(buffer.address(), 42);
            assertThat(client.send(buffer.address(), 8)).isEqualTo(8);
            assertThat(server.receive(buffer.address() + 8, 512, fds)).isEqualTo(8);
            assertThat(NativeMemory.getLong(buffer.address() + 8)).isEqualTo(42);
            assertThat(fds.count()).isZero();
            assertThat(server.isListening()).isFalse();
            PeerCredentials peer = server.peerCredentials();
            assertThat(peer.pid()).isEqualTo((int) ProcessHandle.current().pid());
            assertThat(peer.uid()).isEqualTo(Files.getAttribute(Path.of("/proc/self"), "unix:uid"));
            client.fd().close();
            assertThat(server.receive(buffer.address(), 512, fds)).isZero();
            assertThat(server.send(buffer.address(), 1)).isEqualTo(-Errno.EPIPE);
        }
    }

    @Test
    void shouldTellAStalePathFromABusyOne() throws IOException {
        String path = directory.resolve("socket").toString();
        UnixSocket.listenAt(path, 1).close();
        assertThatExceptionOfType(ErrnoException.class)
                .isThrownBy(() -> UnixSocket.connectTo(path))
                .satisfies(e -> assertThat(e.errno()).isEqualTo(Errno.ECONNREFUSED));
        assertThatExceptionOfType(ErrnoException.class)
                .isThrownBy(() -> UnixSocket.listenAt(path, 1))
                .withMessageContaining("bind " + path + ": EADDRINUSE")
                .withMessageContaining("remove it");
    }

    @Test
    void shouldSayThePathIsTooLongAbove107Bytes() throws IOException {
        try (UnixSocket socket = UnixSocket.create()) {
            assertThat(socket.connect("/" + "x".repeat(106))).isEqualTo(-Errno.ENOENT);
            assertThat(socket.connect("/" + "x".repeat(107))).isEqualTo(-Errno.ENAMETOOLONG);
            assertThat(socket.bind("")).isEqualTo(-Errno.EINVAL);
        }
    }

    @Test
    void shouldTransferDescriptorsCloseOnExec() throws IOException {
        try (UnixSocket.Pair pair = UnixSocket.pair();
                Fd event = Fd.adopt(EventFd.create(0, EventFd.EFD_CLOEXEC | EventFd.EFD_NONBLOCK));
                ReceivedFds fds = new ReceivedFds()) {
            assertThat(pair.first().send(buffer.address(), 12, event.number(), event.number())).isEqualTo(12);
            assertThat(pair.second().receive(buffer.address(), 12, fds)).isEqualTo(12);
            assertThat(fds.count()).isEqualTo(2);
            assertThat(fds.truncated()).isFalse();
            try (Fd received = fds.take(1)) {
                assertThat(LinuxFile.fcntl(received.number(), F_GETFD, 0)).isEqualTo(FD_CLOEXEC);
                assertThat(EventFd.signal(received.number())).isZero();
            }
            assertThat(EventFd.drain(event.number())).isEqualTo(1);
            assertThatIllegalStateException().isThrownBy(() -> fds.take(1));
            // The one that was not taken is closed with the basket; FdLeakCheck looks.
        }
    }

    @Test
    void shouldReceiveAsManyAsOneMessageCarries() throws IOException {
        try (UnixSocket.Pair pair = UnixSocket.pair();
                Fd event = Fd.adopt(EventFd.create(0, EventFd.EFD_CLOEXEC));
                ReceivedFds fds = new ReceivedFds()) {
            int[] many = new int[ReceivedFds.MAX_PER_MESSAGE];
            Arrays.fill(many, event.number());
            assertThat(pair.first().send(buffer.address(), 1, many)).isEqualTo(1);
            assertThat(pair.second().receive(buffer.address(), 1, fds)).isEqualTo(1);
            assertThat(fds.count()).isEqualTo(ReceivedFds.MAX_PER_MESSAGE);
            assertThat(fds.truncated()).isFalse();
            assertThat(pair.first().send(buffer.address(), 1, Arrays.copyOf(many, many.length + 1)))
                    .isEqualTo(-Errno.EINVAL);
        }
    }

    @Test
    void shouldTellThatDescriptorsWereDroppedWhenThereIsNoRoom() throws IOException {
        for (int capacity = 0; capacity < 4; capacity++) {
            try (UnixSocket.Pair pair = UnixSocket.pair();
                    Fd event = Fd.adopt(EventFd.create(0, EventFd.EFD_CLOEXEC));
                    ReceivedFds fds = new ReceivedFds(capacity)) {
                int number = event.number();
                assertThat(pair.first().send(buffer.address(), 4, number, number, number)).isEqualTo(4);
                assertThat(pair.second().receive(buffer.address(), 4, fds)).isEqualTo(4);
                assertThat(fds.count()).isEqualTo(capacity);
                assertThat(fds.truncated()).isEqualTo(capacity < 3);
            }
        }
    }

    @Test
    void shouldAppendDescriptorsOfSeveralMessages() throws IOException {
        try (UnixSocket.Pair pair = UnixSocket.pair();
                Fd event = Fd.adopt(EventFd.create(0, EventFd.EFD_CLOEXEC))) {
            ReceivedFds fds = new ReceivedFds(3);
            for (int i = 0; i < 2; i++) {
                assertThat(pair.first().send(buffer.address(), 4, event.number())).isEqualTo(4);
                assertThat(pair.second().receive(buffer.address(), 4, fds)).isEqualTo(4);
            }
            assertThat(fds.count()).isEqualTo(2);
            fds.close();
            assertThat(fds.count()).isZero();
        }
    }

    @Test
    void shouldReturnEagainWhenTheTimeoutHasPassed() throws IOException {
        try (UnixSocket.Pair pair = UnixSocket.pair();
                ReceivedFds fds = new ReceivedFds(0)) {
            assertThat(pair.first().receiveTimeout(1)).isZero();
            assertThat(pair.first().receive(buffer.address(), 1, fds)).isEqualTo(-Errno.EAGAIN);
        }
    }

    @Test
    void shouldReleaseAReceiverWhenShutDown() throws IOException {
        try (UnixSocket.Pair pair = UnixSocket.pair();
                ReceivedFds fds = new ReceivedFds(0)) {
            CompletableFuture<Integer> received = new CompletableFuture<>();
            Thread.ofPlatform().start(() -> received.complete(pair.first().receive(buffer.address(), 1, fds)));
            assertThat(pair.first().shutdown(UnixSocket.SHUT_RDWR)).isZero();
            assertThat(received.join()).isZero();
        }
    }

    @Test
    void shouldLeaveTheDescriptorToTheCallerWhenItIsNoUnixSocket() {
        try (Fd event = Fd.adopt(EventFd.create(0, EventFd.EFD_CLOEXEC))) {
            assertThatExceptionOfType(ErrnoException.class)
                    .isThrownBy(() -> UnixSocket.adopt(event))
                    .satisfies(e -> assertThat(e.errno()).isEqualTo(Errno.ENOTSOCK));
            assertThat(event.isOpen()).isTrue();
            assertThatExceptionOfType(ErrnoException.class).isThrownBy(() -> UnixSocket.adopt(event.number()));
            assertThat(LinuxFile.flags(event.number())).isNotNegative();
        }
    }
}
