package dev.sluice.virtio.vhostuser;

import dev.sluice.linux.Errno;
import dev.sluice.linux.ErrnoException;
import dev.sluice.linux.Fd;
import dev.sluice.linux.LinuxFile;
import dev.sluice.linux.UnixSocket;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * Where connections come from: a path of our own, an inherited listening socket, or an inherited connection, which is the only one.
 *
 * <p><b>Threading:</b> opened by anybody, then the control thread's, but for {@link #refuseConnections}. <b>Ownership:</b> owns the socket, and the path where
 * it made it. Nothing that is not a socket is ever unlinked. <b>Failure:</b> {@link IOException} with one line that says what to do.
 */
final class ServerSocket implements AutoCloseable {
    private static final int BACKLOG = 8;
    private static final int FILE_TYPE = 0170000;
    private static final int SOCKET_TYPE = 0140000;

    private final @Nullable UnixSocket listening;
    private @Nullable UnixSocket connected;
    private final @Nullable Path path;
    private final @Nullable Object pathKey;
    private boolean closed;

    private ServerSocket(@Nullable UnixSocket listening, @Nullable UnixSocket connected, @Nullable Path path, @Nullable Object pathKey) {
        this.listening = listening;
        this.connected = connected;
        this.path = path;
        this.pathKey = pathKey;
    }

    /** Listens at a path, for the owner only. A socket that nobody listens on any more is replaced. */
    static ServerSocket listenAt(Path path) throws IOException {
        UnixSocket socket;
        try {
            socket = UnixSocket.listenAt(path.toString(), BACKLOG);
        } catch (ErrnoException failed) {
            if (failed.errno() != Errno.EADDRINUSE) {
                throw failed;
            }
            removeStale(path);
            socket = UnixSocket.listenAt(path.toString(), BACKLOG);
        }
        try {
            doNotBlock(socket);
            return new ServerSocket(socket, null, path, fileKey(path));
        } catch (Throwable failed) {
            socket.close();
            throw failed;
        }
    }

    /** Who shares a listening socket may take the connection between poll(2) and accept(2); the control thread must not wait there. */
    private static void doNotBlock(UnixSocket socket) throws IOException {
        int result = LinuxFile.setNonBlocking(socket.fd().number(), true);
        if (result < 0) {
            throw new ErrnoException("fcntl", "O_NONBLOCK of the listening socket", result, "");
        }
    }

    private static void removeStale(Path path) throws IOException {
        if (!isSocket(path)) {
            throw new IOException("socket path " + path + " exists and is not a socket: choose another path or remove it");
        }
        try (UnixSocket probe = UnixSocket.create()) {
            // A backlog that is full would block a blocking connect(2).
            LinuxFile.setNonBlocking(probe.fd().number(), true);
            int result = probe.connect(path.toString());
            if (result != -Errno.ECONNREFUSED) {
                throw new IOException("socket path " + path + " is in use"
                        + (result == 0 || result == -Errno.EAGAIN ? ": another process listens there, stop it or choose another path"
                                : ": " + Errno.describe(result)));
            }
        }
        int result = LinuxFile.unlink(path.toString());
        if (result < 0 && result != -Errno.ENOENT) {
            throw new ErrnoException("unlink", path.toString(), result, "remove the stale socket");
        }
    }

    private static boolean isSocket(Path path) throws IOException {
        Map<String, Object> attributes = Files.readAttributes(path, "unix:mode", LinkOption.NOFOLLOW_LINKS);
        return attributes.get("mode") instanceof Integer mode && (mode & FILE_TYPE) == SOCKET_TYPE;
    }

    private static @Nullable Object fileKey(Path path) throws IOException {
        return Files.readAttributes(path, "unix:fileKey", LinkOption.NOFOLLOW_LINKS).get("fileKey");
    }

    /** Takes an inherited descriptor over, listening or connected. What is not a socket to serve on is left open: the number may be somebody else's file. */
    static ServerSocket inherited(int number) throws IOException {
        if (LinuxFile.flags(number) < 0) {
            throw new IOException("file descriptor " + number + " is not open: pass one that the parent process has left open");
        }
        UnixSocket socket = UnixSocket.adopt(number);
        try {
            if (!socket.isListening()) {
                return new ServerSocket(null, socket, null, null);
            }
            doNotBlock(socket);
            return new ServerSocket(socket, null, null, null);
        } catch (Throwable failed) {
            socket.close();
            throw failed;
        }
    }

    /** Closes an inherited descriptor that nobody has served on; the same one that {@link #inherited} would take. */
    static void discard(int number) {
        try {
            UnixSocket.adopt(number).close();
        } catch (IOException notOurs) {
            // Left as it is.
        }
    }

    /** Where it listens, as a file; null where it does not, or where that has no absolute path. */
    @Nullable
    Path listeningAt() throws IOException {
        if (path != null || listening == null) {
            return path;
        }
        String bound = listening.localPath();
        return bound.startsWith("/") ? Path.of(bound) : null;
    }

    /** The listening socket, or null where there is but one connection. */
    @Nullable
    UnixSocket listening() {
        return listening;
    }

    /** The inherited connection, once; then null. */
    @Nullable
    UnixSocket takeConnected() {
        UnixSocket only = connected;
        connected = null;
        return only;
    }

    @Override
    public synchronized void close() {
        closed = true;
        if (listening != null) {
            removeOwnPath();
            listening.close();
        }
        if (connected != null) {
            connected.close();
        }
    }

    /**
     * Ends listening at a path of our own, before anything is drained: who connects from here on is refused at once, and who waits for us to accept sees
     * the end, instead of a whole virtual machine waiting for a reply. An inherited socket may be its manager's and is left as it is. Any thread.
     */
    synchronized void refuseConnections() {
        if (path == null || listening == null || closed) {
            return;
        }
        removeOwnPath();
        // It does not block. Whoever was accepted by the control thread in between is served to its end.
        for (int accepted = listening.accept(); accepted >= 0; accepted = listening.accept()) {
            Fd.adopt(accepted).close();
        }
        int _ = listening.shutdown(UnixSocket.SHUT_RDWR);
    }

    /** Unlinks the path where it still is the socket that we made. */
    private void removeOwnPath() {
        Path made = path;
        if (made == null) {
            return;
        }
        try {
            if (isSocket(made) && Objects.equals(pathKey, fileKey(made))) {
                int _ = LinuxFile.unlink(made.toString());
            }
        } catch (NoSuchFileException gone) {
            // Somebody was faster.
        } catch (IOException unreadable) {
            // A path that cannot be looked at is not ours to remove.
        }
    }
}
