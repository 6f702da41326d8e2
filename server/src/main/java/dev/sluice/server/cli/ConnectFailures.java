package dev.sluice.server.cli;

import dev.sluice.linux.Errno;
import dev.sluice.linux.ErrnoException;
import dev.sluice.virtio.driver.BackendViolationException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** Explains why a vhost-user backend could not be reached: one line with the likely reason and the remedy. Any thread. */
public final class ConnectFailures {
    private static final int FILE_TYPE = 0170000;
    private static final int SOCKET_TYPE = 0140000;

    private ConnectFailures() {}

    /** The same failure, with the remedy if it is known. */
    public static IOException notConnected(Path socket, ErrnoException refused) {
        String why = switch (refused.errno()) {
            case Errno.ENOENT -> "there is no socket; start the backend first";
            // Linux returns the same errno whether nobody listens on the socket or the file is not a socket.
            case Errno.ECONNREFUSED -> isSocket(socket) ? "nobody listens there any more; restart the backend" : "it is not a socket; use the backend's socket";
            case Errno.EACCES, Errno.EPERM -> "permission denied; run this as the user of the backend";
            default -> "";
        };
        return why.isEmpty() ? refused : new IOException("cannot connect to " + socket + ": " + why, refused);
    }

    private static boolean isSocket(Path path) {
        try {
            return Files.getAttribute(path, "unix:mode") instanceof Integer mode && (mode & FILE_TYPE) == SOCKET_TYPE;
        } catch (IOException unreadable) {
            return true;
        }
    }

    /** The likely reason why a backend sends no reply. */
    public static IOException noReply(Path socket, Exception silent) {
        return new IOException("no reply from " + socket + ": another front end may be connected, and a backend serves one at a time; disconnect that one"
                + " first", silent);
    }

    /** The likely reason for a reply that violates the protocol. */
    public static IOException notVhostUser(Path socket, BackendViolationException other) {
        return new IOException("the process that listens at " + socket + " does not speak vhost-user: " + other.getMessage(), other);
    }
}
