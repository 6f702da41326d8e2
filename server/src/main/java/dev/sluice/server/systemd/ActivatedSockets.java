package dev.sluice.server.systemd;

import dev.sluice.linux.ErrnoException;
import dev.sluice.linux.Fd;
import dev.sluice.linux.LinuxFile;
import dev.sluice.linux.UnixSocket;
import java.io.IOException;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;

/**
 * The sockets that a service manager listens on for this process and has passed to it ({@code LISTEN_FDS}).
 *
 * <p>Whoever serves on one gets a duplicate, so that a disk can be removed and added again while the manager's socket keeps listening.
 *
 * <p><b>Threading:</b> any thread, closed last. <b>Ownership:</b> of the passed sockets; a duplicate is its caller's. A descriptor that is not a listening
 * socket is left open: it may be a file of the JVM, which would crash if it were closed.
 * <b>Failure:</b> {@link IOException} in one line. Source: sd_listen_fds(3).
 */
public final class ActivatedSockets implements AutoCloseable {
    /** The name of a socket that was passed without one. */
    public static final String UNKNOWN = "unknown";

    private static final int FIRST = 3;
    private static final int MAX_SOCKETS = 1024;

    private final Map<String, UnixSocket> sockets;

    private ActivatedSockets(Map<String, UnixSocket> sockets) {
        this.sockets = sockets;
    }

    /** No sockets. */
    public static ActivatedSockets none() {
        return new ActivatedSockets(Map.of());
    }

    /**
     * Adopts the sockets that were passed to a process; none if they were meant for another one, such as the parent of a shell script's child.
     *
     * @param environment provides LISTEN_PID, LISTEN_FDS and LISTEN_FDNAMES
     * @param pid of this process
     * @throws IOException if a descriptor is not a listening Unix stream socket, or if two have the same name
     */
    public static ActivatedSockets of(Map<String, String> environment, long pid) throws IOException {
        return of(environment, pid, FIRST);
    }

    static ActivatedSockets of(Map<String, String> environment, long pid, int first) throws IOException {
        String count = environment.get("LISTEN_FDS");
        if (count == null || !Long.toString(pid).equals(environment.get("LISTEN_PID"))) {
            return none();
        }
        int passed = number(count);
        String[] names = environment.getOrDefault("LISTEN_FDNAMES", "").split(":", -1);
        ActivatedSockets taken = new ActivatedSockets(new LinkedHashMap<>());
        try {
            for (int i = 0; i < passed; i++) {
                String name = i < names.length && !names[i].isEmpty() ? names[i] : UNKNOWN;
                taken.take(first + i, passed > 1 && name.equals(UNKNOWN) ? UNKNOWN + "-" + i : name);
            }
            return taken;
        } catch (Throwable failed) {
            taken.close();
            throw failed;
        }
    }

    private static int number(String count) throws IOException {
        try {
            int passed = Integer.parseInt(count);
            if (passed >= 0 && passed <= MAX_SOCKETS) {
                return passed;
            }
        } catch (NumberFormatException noNumber) {
            // Reported below.
        }
        throw new IOException("LISTEN_FDS is '" + count + "', not a number from 0 to " + MAX_SOCKETS + ": start this through the service manager");
    }

    private void take(int number, String name) throws IOException {
        String what = "LISTEN_FDS: file descriptor " + number + " (" + name + ") ";
        if (LinuxFile.flags(number) < 0) {
            throw new IOException(what + "is not open: start this through the service manager");
        }
        UnixSocket socket;
        try {
            socket = UnixSocket.adopt(number);
        } catch (ErrnoException other) {
            throw new IOException(what + "is not a stream socket of AF_UNIX: use ListenStream= with a path", other);
        }
        if (!socket.isListening()) {
            // Not closed: if LISTEN_FDS is too large, the descriptor belongs to somebody else.
            int _ = socket.fd().release();
            throw new IOException(what + "does not listen: use ListenStream= with Accept=no");
        }
        int _ = LinuxFile.setCloseOnExec(number, true);
        if (sockets.putIfAbsent(name, socket) != null) {
            socket.close();
            throw new IOException(what + "has the same name as another one: give each its own FileDescriptorName=");
        }
    }

    /** Their names, in the order in which they were passed. */
    public Set<String> names() {
        return Collections.unmodifiableSet(sockets.keySet());
    }

    /**
     * A duplicate of a socket, which the caller owns.
     *
     * @throws IOException if there is no socket of that name
     */
    public Fd duplicate(String name) throws IOException {
        UnixSocket socket = sockets.get(name);
        if (socket == null) {
            throw new IOException("the service manager has passed no socket named '" + name + "'" + (sockets.isEmpty()
                    ? ", nor any other: start this process through a .socket unit"
                    : "; it has passed " + String.join(", ", sockets.keySet()) + ": correct the name, or FileDescriptorName= of the .socket unit"));
        }
        int number = LinuxFile.duplicate(socket.fd().number());
        if (number < 0) {
            throw new ErrnoException("fcntl", "F_DUPFD_CLOEXEC of the socket " + name, number, "raise the limit of open files (ulimit -n)");
        }
        return Fd.adopt(number);
    }

    /** Closes the sockets in this process; the manager's own descriptors keep listening. Idempotent. */
    @Override
    public void close() {
        sockets.values().forEach(UnixSocket::close);
    }
}
