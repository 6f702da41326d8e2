package dev.sluice.server.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.linux.ErrnoException;
import dev.sluice.linux.UnixSocket;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.assertj.core.api.Assertions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ConnectFailuresTest {
    @TempDir
    Path directory;

    @Test
    void shouldTellASocketWithoutAListenerFromWhatIsNone() throws IOException {
        Path stale = directory.resolve("stale.sock");
        UnixSocket.listenAt(stale.toString(), 1).close();
        assertThat(notConnected(stale)).hasMessage("cannot connect to " + stale + ": nobody listens there any more; restart the backend");
        Path link = Files.createSymbolicLink(directory.resolve("link.sock"), stale);
        assertThat(notConnected(link)).hasMessageContaining("nobody listens there any more");

        Path file = Files.createFile(directory.resolve("file"));
        assertThat(notConnected(file)).hasMessage("cannot connect to " + file + ": it is not a socket; use the backend's socket");
        assertThat(notConnected(directory)).hasMessageContaining("it is not a socket");
    }

    private static IOException notConnected(Path path) {
        ErrnoException refused = Assertions.catchThrowableOfType(ErrnoException.class, () -> UnixSocket.connectTo(path.toString()).close());
        return ConnectFailures.notConnected(path, refused);
    }
}
