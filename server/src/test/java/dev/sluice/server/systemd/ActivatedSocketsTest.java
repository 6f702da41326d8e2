package dev.sluice.server.systemd;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sluice.linux.Fd;
import dev.sluice.linux.LinuxFile;
import dev.sluice.linux.UnixSocket;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ActivatedSocketsTest {
    private static final long PID = 4711;

    @TempDir
    Path directory;

    @Test
    void shouldHandOutDuplicatesOfWhatWasPassedByName() throws IOException {
        String path = directory.resolve("a.sock").toString();
        int passed = UnixSocket.listenAt(path, 1).fd().release();
        try (ActivatedSockets sockets = ActivatedSockets.of(environment(PID, "1", "root"), PID, passed)) {
            assertThat(sockets.names()).containsExactly("root");
            try (UnixSocket duplicate = UnixSocket.adopt(sockets.duplicate("root"));
                    UnixSocket client = UnixSocket.connectTo(path)) {
                assertThat(duplicate.fd().number()).isNotEqualTo(passed);
                Fd.adopt(duplicate.accept()).close();
                assertThat(client.fd().isOpen()).isTrue();
            }
            // The manager's own goes on listening.
            UnixSocket.connectTo(path).close();
            assertThatThrownBy(() -> sockets.duplicate("data")).isInstanceOf(IOException.class).hasMessageContainingAll("'data'", "root");
        }
        assertThat(LinuxFile.flags(passed)).isNegative();
    }

    @Test
    void shouldLeaveAloneWhatWasPassedToAnotherProcess() throws IOException {
        try (UnixSocket socket = UnixSocket.listenAt(directory.resolve("a.sock").toString(), 1)) {
            try (ActivatedSockets sockets = ActivatedSockets.of(environment(PID + 1, "1", "root"), PID, socket.fd().number())) {
                assertThat(sockets.names()).isEmpty();
            }
            assertThat(socket.isListening()).isTrue();
        }
        try (ActivatedSockets none = ActivatedSockets.of(Map.of(), PID, 3)) {
            assertThat(none.names()).isEmpty();
        }
    }

    @Test
    void shouldRefuseWhatIsNoListeningUnixSocketAndLeaveItOpen() throws IOException {
        try (UnixSocket.Pair pair = UnixSocket.pair();
                Fd file = LinuxFile.openOrThrow(directory.toString(), LinuxFile.O_RDONLY, 0)) {
            int connected = pair.first().fd().number();
            refused(environment(PID, "1", "root"), connected, "does not listen");
            assertThat(LinuxFile.flags(connected)).isNotNegative();
            refused(environment(PID, "1", "root"), file.number(), "AF_UNIX");
            assertThat(LinuxFile.flags(file.number())).isNotNegative();
        }
        refused(environment(PID, "1", "root"), 1 << 20, "not open");
        refused(environment(PID, "x", "root"), 3, "LISTEN_FDS");
        refused(environment(PID, "1025", "root"), 3, "1024");
        refused(environment(PID, "-1", "root"), 3, "LISTEN_FDS");
    }

    @Test
    void shouldCallASocketWithoutANameUnknown() throws IOException {
        int passed = UnixSocket.listenAt(directory.resolve("a.sock").toString(), 1).fd().release();
        try (ActivatedSockets sockets = ActivatedSockets.of(environment(PID, "1", ""), PID, passed)) {
            assertThat(sockets.names()).containsExactly(ActivatedSockets.UNKNOWN);
        }
    }

    private static Map<String, String> environment(long pid, String count, String names) {
        return Map.of("LISTEN_PID", Long.toString(pid), "LISTEN_FDS", count, "LISTEN_FDNAMES", names);
    }

    private static void refused(Map<String, String> environment, int first, String said) {
        assertThatThrownBy(() -> ActivatedSockets.of(environment, PID, first)).isInstanceOf(IOException.class).hasMessageContaining(said);
    }
}
