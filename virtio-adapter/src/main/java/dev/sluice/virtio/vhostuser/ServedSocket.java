package dev.sluice.virtio.vhostuser;

import dev.sluice.linux.Errno;
import dev.sluice.linux.EventFd;
import dev.sluice.linux.Fd;
import dev.sluice.linux.UnixSocket;
import java.io.IOException;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The socket of a device while it is served, from {@link #start} to {@link #close}. Nobody is connected at first, and no thread is its own; who connects gets a
 * control thread, which stays for a while after the front end has disconnected, as it often connects again.
 *
 * <p><b>Threading:</b> any; {@link #close} by one at a time. <b>Ownership:</b> of the socket, and of all that the connections have. <b>Failure:</b> {@link
 * #start} throws and leaves nothing behind; what its end completes says why serving itself has failed.
 */
final class ServedSocket implements ControlPlane.Device {
    private static final Logger LOG = LoggerFactory.getLogger(VhostUserServer.class);

    /** How long a control thread stays with a device that nobody is connected to any more. */
    private static final int IDLE_MILLIS = 10_000;

    private final ServerSocket socket;
    private final ConnectionServer connections;
    private final ConnectionLog log;
    private final String address;
    private final ControlPlane plane;
    /** Ends every wait of a control thread; never read, so that it stays signalled. */
    private final Fd wake;
    private final CompletableFuture<Void> ended;
    private volatile boolean closing;
    /** Why serving has ended, where nobody wanted it to. Of the thread that finishes. */
    private @Nullable Throwable failure;

    private ServedSocket(
            ServerSocket socket, ConnectionServer connections, ConnectionLog log, String address, CompletableFuture<Void> ended, ControlPlane plane, Fd wake) {
        this.socket = socket;
        this.ended = ended;
        this.connections = connections;
        this.log = log;
        this.address = address;
        this.plane = plane;
        this.wake = wake;
    }

    /**
     * Serves.
     *
     * @param socket stays the caller's where this throws
     * @param connections opened; stays the caller's where this throws
     * @param ended completed when nobody is served any more, with the reason if that was not wanted
     * @throws IOException with one line, if there is no thread or no descriptor for it
     */
    static ServedSocket start(ServerSocket socket, ConnectionServer connections, ConnectionLog log, String address, CompletableFuture<Void> ended)
            throws IOException {
        int made = EventFd.create(0, EventFd.EFD_CLOEXEC | EventFd.EFD_NONBLOCK);
        if (made < 0) {
            throw new IOException("eventfd: " + Errno.describe(made));
        }
        Fd wake = Fd.adopt(made);
        ControlPlane entered = null;
        try {
            ControlPlane plane = ControlPlane.enter();
            entered = plane;
            ServedSocket served = new ServedSocket(socket, connections, log, address, ended, plane, wake);
            if (socket.listening() != null) {
                plane.watch(served);
            } else {
                plane.serveNow(served);
            }
            return served;
        } catch (Throwable failed) {
            if (entered != null) {
                entered.leave();
            }
            wake.close();
            throw failed;
        }
    }

    /** Ends the connection, drains what is in flight, frees everything. Waits for that. Once. */
    void close() {
        closing = true;
        socket.refuseConnections();
        int _ = EventFd.signal(wake.number());
        if (plane.take(this)) {
            finish();
        }
        wake.close();
    }

    private void finish() {
        try {
            socket.close();
            log.close();
        } finally {
            Throwable why = failure;
            boolean _ = why == null ? ended.complete(null) : ended.completeExceptionally(why);
            try {
                connections.close();
            } finally {
                plane.leave();
            }
        }
    }

    // ---- on a control thread

    @Override
    public int listeningFd() {
        UnixSocket listening = socket.listening();
        return listening == null ? -1 : listening.fd().number();
    }

    @Override
    public boolean serve() {
        Thread current = Thread.currentThread();
        String name = current.getName();
        boolean idle = false;
        try {
            current.setName("sluice-vhost-user " + address);
            idle = serveConnections();
        } catch (Throwable failed) {
            failure = failed;
            LOG.error("{}: the server ends: {}", address, failed.getMessage(), failed);
        } finally {
            if (!idle) {
                finish();
            }
        }
        try {
            current.setName(name);
        } catch (OutOfMemoryError none) {
            // It keeps the name of this device until the next.
        }
        return idle;
    }

    private boolean serveConnections() throws IOException {
        UnixSocket only = socket.takeConnected();
        if (only != null) {
            connections.serve(only, wake.number(), () -> closing);
            return false;
        }
        UnixSocket listening = socket.listening();
        return listening != null
                && new AcceptLoop(wake.number(), listening.fd().number(), listening::accept, this::serveAccepted, log).run(() -> closing, IDLE_MILLIS);
    }

    private void serveAccepted(Fd accepted) {
        UnixSocket adopted;
        try {
            adopted = UnixSocket.adopt(accepted);
        } catch (Throwable failed) {
            accepted.close();
            log.error("the connection cannot be served", failed);
            return;
        }
        connections.serve(adopted, wake.number(), () -> closing);
    }

    // ---- on the watching thread

    @Override
    public boolean refuse(Throwable why) {
        UnixSocket listening = socket.listening();
        if (closing || listening == null) {
            return false;
        }
        int accepted = listening.accept();
        if (accepted >= 0) {
            Fd.adopt(accepted).close();
        }
        log.warn(ConnectionLog.Kind.ACCEPT, (accepted >= 0 ? "a front end was disconnected" : "a front end has to wait")
                + ", as no thread can be started to serve it (" + why.getMessage() + "): " + ControlThreads.advice());
        return accepted >= 0;
    }

    @Override
    public String toString() {
        return address;
    }
}
