package dev.sluice.virtio.vhostuser;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sluice.linux.DatagramReceiver;
import dev.sluice.linux.Errno;
import dev.sluice.linux.Fd;
import dev.sluice.linux.LinuxFile;
import dev.sluice.linux.NativeBlock;
import dev.sluice.linux.NativeMemory;
import dev.sluice.linux.ReceivedFds;
import dev.sluice.linux.UnixSocket;
import dev.sluice.pipeline.testing.Patience;
import dev.sluice.virtio.driver.BlkRequest;
import dev.sluice.virtio.driver.BlockDriver;
import dev.sluice.virtio.driver.VhostUserConnection;
import dev.sluice.virtio.driver.VhostUserFrontend;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Where connections come from. */
final class ServerSocketTest {
    private static final String IN_USE = "is in use: another process listens there, stop it or choose another path";

    @TempDir
    Path directory;

    @Test
    void shouldReplaceAStaleSocket() throws IOException {
        Path path = directory.resolve("stale");
        UnixSocket.listenAt(path.toString(), 1).close();
        assertThat(path).exists();
        try (ServerSocket socket = ServerSocket.listenAt(path)) {
            assertThat(acceptWithoutPeer(socket)).isEqualTo(-Errno.EAGAIN);
            assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(path))).isEqualTo("rw-------");
        }
        assertThat(path).doesNotExist();
    }

    private static int acceptWithoutPeer(ServerSocket socket) {
        UnixSocket listening = socket.listening();
        assertThat(listening).isNotNull();
        return listening == null ? 0 : listening.accept();
    }

    @Test
    void shouldNotWaitForAConnectionThatSomebodyElseHasTaken() throws IOException {
        UnixSocket shared = UnixSocket.listenAt(directory.resolve("shared").toString(), 1);
        try (ServerSocket socket = ServerSocket.inherited(shared.fd().release())) {
            assertThat(acceptWithoutPeer(socket)).isEqualTo(-Errno.EAGAIN);
        }
    }

    @Test
    void shouldRefuseABusySocketAndLeaveItAlone() throws IOException {
        Path path = directory.resolve("busy");
        try (UnixSocket _ = UnixSocket.listenAt(path.toString(), 1)) {
            assertThatThrownBy(() -> ServerSocket.listenAt(path)).isInstanceOf(IOException.class).hasMessageContaining("in use");
            assertThat(path).exists();
        }
    }

    @Test
    void shouldSayThatAnotherProcessListensAlsoWhereItAcceptsNobody() throws IOException {
        Path path = directory.resolve("full");
        List<UnixSocket> waiting = new ArrayList<>();
        try (UnixSocket _ = UnixSocket.listenAt(path.toString(), 1)) {
            assertThatThrownBy(() -> ServerSocket.listenAt(path)).hasMessageEndingWith(IN_USE);
            // connect(2) of one more is EAGAIN, or would wait.
            int result;
            do {
                UnixSocket socket = UnixSocket.create();
                waiting.add(socket);
                assertThat(LinuxFile.setNonBlocking(socket.fd().number(), true)).isZero();
                result = socket.connect(path.toString());
            } while (result == 0);
            assertThat(result).isEqualTo(-Errno.EAGAIN);
            assertThatThrownBy(() -> ServerSocket.listenAt(path)).hasMessageEndingWith(IN_USE);
        } finally {
            waiting.forEach(UnixSocket::close);
        }
    }

    @Test
    void shouldSayWhyASocketOfAnotherKindIsInUse() throws IOException {
        Path path = directory.resolve("datagrams");
        try (DatagramReceiver _ = DatagramReceiver.at(path.toString())) {
            assertThatThrownBy(() -> ServerSocket.listenAt(path)).hasMessageContaining("is in use: EPROTOTYPE");
            assertThat(path).exists();
        }
    }

    @Test
    void shouldLeaveASymbolicLinkAlone() throws IOException {
        Path target = directory.resolve("target");
        UnixSocket.listenAt(target.toString(), 1).close();
        Path link = Files.createSymbolicLink(directory.resolve("link"), target);
        assertThatThrownBy(() -> ServerSocket.listenAt(link)).hasMessageContaining("is not a socket");
        assertThat(target).exists();
    }

    @Test
    void shouldRemoveOnlyThePathOfItsOwnSocket() throws IOException {
        Path path = directory.resolve("taken");
        try (ServerSocket _ = ServerSocket.listenAt(path)) {
            Files.delete(path);
            UnixSocket.listenAt(path.toString(), 1).close();
        }
        assertThat(path).as("another one's").exists();
        ServerSocket gone = ServerSocket.listenAt(directory.resolve("gone"));
        Files.delete(directory.resolve("gone"));
        gone.close();
        gone.refuseConnections();
    }

    @Test
    void shouldRefuseWhoConnectsAndWhoWaitsAtItsOwnPathAlone() throws Exception {
        Path path = directory.resolve("own");
        try (ServerSocket own = ServerSocket.listenAt(path);
                UnixSocket first = UnixSocket.connectTo(path.toString());
                UnixSocket second = UnixSocket.connectTo(path.toString())) {
            Path link = Files.createLink(directory.resolve("link"), path);
            own.refuseConnections();
            assertThat(path).doesNotExist();
            assertThatThrownBy(() -> UnixSocket.connectTo(link.toString())).as("shut down").hasMessageContaining("ECONNREFUSED");
            for (UnixSocket waiting : List.of(first, second)) {
                assertEnded(waiting);
            }
        }
        Path shared = directory.resolve("shared");
        try (ServerSocket inherited = ServerSocket.inherited(UnixSocket.listenAt(shared.toString(), 1).fd().release())) {
            inherited.refuseConnections();
            assertThat(shared).exists();
            UnixSocket.connectTo(shared.toString()).close();
        }
        assertThat(shared).as("whoever made it removes it").exists();
    }

    private static void assertEnded(UnixSocket peer) {
        assertThat(peer.receiveTimeout(20_000)).isZero();
        try (NativeBlock word = NativeMemory.allocate(8, 8);
                ReceivedFds none = new ReceivedFds()) {
            assertThat(peer.receive(word.address(), 8, none)).isIn(0, -Errno.ECONNRESET);
        }
    }

    @Test
    void shouldHandOutTheInheritedConnectionOnceOrCloseIt() throws IOException {
        for (boolean taken : new boolean[] {true, false}) {
            try (UnixSocket.Pair pair = UnixSocket.pair()) {
                int number = pair.second().fd().release();
                ServerSocket socket = ServerSocket.inherited(number);
                assertThat(socket.listening()).isNull();
                assertThat(socket.listeningAt()).isNull();
                UnixSocket only = taken ? socket.takeConnected() : null;
                if (taken) {
                    assertThat(only).isNotNull();
                    assertThat(socket.takeConnected()).isNull();
                }
                socket.close();
                socket.refuseConnections();
                assertThat(LinuxFile.flags(number) >= 0).as("its taker's").isEqualTo(taken);
                if (only != null) {
                    only.close();
                }
            }
        }
    }

    @Test
    void shouldSayWhereItListensIfThatIsAnAbsolutePath() throws IOException {
        Path path = directory.resolve("s");
        try (ServerSocket own = ServerSocket.listenAt(path)) {
            assertThat(own.takeConnected()).isNull();
            assertThat(own.listeningAt()).isEqualTo(path);
        }
        try (ServerSocket inherited = ServerSocket.inherited(UnixSocket.listenAt(path.toString(), 1).fd().release())) {
            assertThat(inherited.listeningAt()).isEqualTo(path);
        }
        String relative = Path.of("").toAbsolutePath().relativize(directory.resolve("r")).toString();
        if (relative.length() <= UnixSocket.MAX_PATH_BYTES) {
            try (ServerSocket own = ServerSocket.listenAt(Path.of(relative))) {
                assertThat(own.listeningAt()).as("as it was named").isEqualTo(Path.of(relative));
            }
            try (ServerSocket inherited = ServerSocket.inherited(UnixSocket.listenAt(relative, 1).fd().release())) {
                assertThat(inherited.listeningAt()).as("relative to a directory that may change").isNull();
            }
        }
    }

    @Test
    void shouldDiscardAnInheritedSocketAndNothingElse() throws IOException {
        int number = UnixSocket.listenAt(directory.resolve("s").toString(), 1).fd().release();
        ServerSocket.discard(number);
        assertThat(LinuxFile.flags(number)).isNegative();
        try (Fd file = LinuxFile.openOrThrow(directory.toString(), LinuxFile.O_RDONLY, 0)) {
            ServerSocket.discard(file.number());
            assertThatThrownBy(() -> ServerSocket.inherited(file.number())).isInstanceOf(IOException.class).hasMessageContaining("AF_UNIX");
            assertThat(LinuxFile.flags(file.number())).isNotNegative();
        }
    }

    /** A front end that is accepted by nobody holds its whole virtual machine; one that is refused tries again. */
    @Test
    void shouldRefuseConnectionsBeforeItDrains() throws Exception {
        try (ServerFixture fixture = ServerFixture.start(1);
                RawFrontEnd busy = RawFrontEnd.running(fixture)) {
            CompletableFuture.runAsync(() -> fixture.sink(0).hold(), fixture.loops.getFirst()).join();
            assertThat(busy.queue.submit(BlkRequest.T_IN, 0, 512)).isNotNegative();
            boolean _ = busy.queue.publish();
            busy.queue.kick();
            ServerFixture.await("the request", () -> fixture.events.taken.get() == 1);
            Thread closing = Thread.ofPlatform().unstarted(fixture.server::close);
            try (UnixSocket waiting = UnixSocket.connectTo(fixture.socket.toString())) {
                waiting.receiveTimeout(60_000);
                closing.start();
                ServerFixture.await("the end of the path", () -> !Files.exists(fixture.socket));
                try (NativeBlock word = NativeMemory.allocate(8, 8)) {
                    assertThat(waiting.receive(word.address(), 8, new ReceivedFds())).as("who was not accepted yet").isIn(0, -Errno.ECONNRESET);
                }
                assertThat(closing.isAlive()).as("the request is in flight").isTrue();
                assertThatThrownBy(() -> UnixSocket.connectTo(fixture.socket.toString())).hasMessageContaining("ENOENT");
            } finally {
                CompletableFuture.runAsync(() -> fixture.sink(0).releaseAll(), fixture.loops.getFirst()).join();
            }
            closing.join();
        }
    }

    @Test
    void shouldNeverUnlinkWhatIsNoSocket() throws IOException {
        Path file = Files.writeString(directory.resolve("file"), "precious");
        assertThatThrownBy(() -> ServerSocket.listenAt(file)).hasMessageContaining("is not a socket");
        assertThat(file).hasContent("precious");
        Path path = directory.resolve("replaced");
        try (ServerSocket _ = ServerSocket.listenAt(path)) {
            Files.delete(path);
            Files.writeString(path, "somebody else's");
        }
        assertThat(path).hasContent("somebody else's");
        assertThatThrownBy(() -> ServerSocket.listenAt(directory.resolve("none/s"))).isInstanceOf(IOException.class).hasMessageContaining("ENOENT");
        assertThatThrownBy(() -> ServerSocket.inherited(987_654)).isInstanceOf(IOException.class).hasMessageContaining("not open");
    }

    @Test
    void shouldServeAnInheritedConnectionAndEndWithIt() throws Exception {
        try (ServerFixture fixture = ServerFixture.start(1)) {
            UnixSocket.Pair pair = UnixSocket.pair();
            try (VhostUserServer server = VhostUserServer.builder()
                    .fd(pair.second().fd().release())
                    .pipeline(fixture.pipeline)
                    .loops(List.copyOf(fixture.loops))
                    .build()) {
                server.start();
                try (BlockDriver driver = BlockDriver.open(
                        new VhostUserFrontend(new VhostUserConnection(pair.first(), Duration.ofSeconds(Patience.seconds(20)))), ServerFixture.options(1))) {
                    driver.disk(0).write(0, MemorySegment.ofArray(new byte[512]));
                }
                server.awaitEnd();
            }
        }
    }

    @Test
    void shouldServeAnInheritedListeningSocket() throws Exception {
        Path path = directory.resolve("inherited");
        try (ServerFixture fixture = ServerFixture.start(1)) {
            UnixSocket listening = UnixSocket.listenAt(path.toString(), 1);
            try (VhostUserServer server = VhostUserServer.builder()
                    .fd(listening.fd().release())
                    .pipeline(fixture.pipeline)
                    .loops(List.copyOf(fixture.loops))
                    .build()) {
                server.start();
                for (int i = 0; i < 2; i++) {
                    try (BlockDriver driver = BlockDriver.open(path.toString(), ServerFixture.options(1))) {
                        driver.disk(0).write(0, MemorySegment.ofArray(new byte[512]));
                    }
                }
            }
            // Whoever made the path removes it.
            assertThat(path).exists();
        }
    }

    @Test
    void shouldNameTheValueAndItsBoundsWhenASettingIsImpossible() throws IOException {
        try (ServerFixture fixture = ServerFixture.start(1)) {
            VhostUserServerBuilder builder =
                    VhostUserServer.builder().socketPath(directory.resolve("s")).pipeline(fixture.pipeline).loops(List.copyOf(fixture.loops));
            assertThatThrownBy(() -> builder.numQueues(257).build()).hasMessageContaining("257").hasMessageContaining("256");
            assertThatThrownBy(() -> builder.numQueues(1).queueSize(100).build()).hasMessageContaining("100");
            assertThatThrownBy(() -> builder.queueSize(65536).build()).hasMessageContaining("32768");
        }
    }
}
