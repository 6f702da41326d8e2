package dev.sluice.virtio.vhostuser;

import dev.sluice.linux.Errno;
import dev.sluice.linux.Fd;
import dev.sluice.linux.OpenFileLimit;
import dev.sluice.linux.Poll;
import dev.sluice.linux.PollSet;
import dev.sluice.pipeline.Backoff;
import java.io.IOException;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;
import java.util.function.IntSupplier;

/**
 * Accepts one connection after another until it is woken, or nobody connects for a while.
 *
 * <p>A connection that waits and cannot be accepted leaves the socket readable: whatever the reason,
 * known or not, that backs off, and the log says so.
 *
 * <p><b>Threading:</b> the control thread; the wake eventfd is signalled by another. <b>Ownership:</b> both descriptors stay the caller's; an accepted one
 * is who serves it. <b>Failure:</b> {@link IOException} where the socket itself has failed.
 */
final class AcceptLoop {
    static final int FOREVER = -1;
    private static final int LISTENING = 1;
    private static final int SOCKET_ENDED = Poll.POLLHUP | Poll.POLLERR | Poll.POLLNVAL;
    private static final long FIRST_PAUSE_MILLIS = 64;
    /** To about a second. */
    private static final int MAX_DOUBLINGS = 4;
    /** Connections may vanish between poll and accept, one after another; a system call that always says so must not spin. */
    private static final int MAX_VANISHED = 32;

    private final int wakeFd;
    private final int listeningFd;
    private final IntSupplier accept;
    private final Consumer<Fd> serve;
    private final ConnectionLog log;
    private final Backoff backoff = new Backoff(TimeUnit.MILLISECONDS.toNanos(FIRST_PAUSE_MILLIS), MAX_DOUBLINGS);
    private int vanished;

    /**
     * @param accept accept4(2): a descriptor or a negative errno, never waiting
     * @param serve serves a connection to its end
     */
    AcceptLoop(int wakeFd, int listeningFd, IntSupplier accept, Consumer<Fd> serve, ConnectionLog log) {
        this.wakeFd = wakeFd;
        this.listeningFd = listeningFd;
        this.accept = accept;
        this.serve = serve;
        this.log = log;
    }

    /**
     * Accepts and serves.
     *
     * @param idleMillis how long nobody connects before this returns, or {@link #FOREVER}
     * @return whether it returns for that: otherwise {@code closing} is true
     */
    boolean run(BooleanSupplier closing, int idleMillis) throws IOException {
        try (PollSet ready = new PollSet(2)) {
            ready.add(wakeFd, Poll.POLLIN);
            ready.add(listeningFd, Poll.POLLIN);
            while (!closing.getAsBoolean()) {
                int result = ready.await(idleMillis);
                if (result < 0 && result != -Errno.EINTR) {
                    throw new IOException("poll: " + Errno.describe(result));
                }
                if (result < 0 || closing.getAsBoolean()) {
                    continue;
                }
                if (result == 0) {
                    return true;
                }
                if ((ready.revents(LISTENING) & SOCKET_ENDED) != 0) {
                    // Always ready, while a non-blocking accept4 returns EAGAIN as if it were idle: to continue would spin.
                    throw new IOException("the listening socket was shut down or closed by somebody else");
                }
                if (!accept()) {
                    // Still readable, so waiting for it would spin: wait for the end alone.
                    ready.setEvents(LISTENING, 0);
                    int _ = ready.await((int) TimeUnit.NANOSECONDS.toMillis(backoff.nextPauseNanos()));
                    ready.setEvents(LISTENING, Poll.POLLIN);
                }
            }
        }
        return false;
    }

    /** False where trying again at once would be in vain. */
    private boolean accept() throws IOException {
        int accepted = accept.getAsInt();
        if (accepted >= 0) {
            vanished = 0;
            backoff.reset();
            serve.accept(Fd.adopt(accepted));
            log.noPeer();
            return true;
        }
        return switch (-accepted) {
            // Another process took the connection, or its peer has gone; or a signal came.
            case Errno.EAGAIN, Errno.EINTR, Errno.ECONNABORTED -> ++vanished % MAX_VANISHED != 0;
            case Errno.EINVAL, Errno.EBADF, Errno.ENOTSOCK -> throw new IOException("accept: " + Errno.describe(accepted));
            default -> {
                log.warn(ConnectionLog.Kind.ACCEPT,
                        "a connection waits and cannot be accepted: accept4: " + Errno.describe(accepted) + ": " + advice(-accepted));
                yield false;
            }
        };
    }

    private static String advice(int errno) {
        return switch (errno) {
            case Errno.EMFILE -> OpenFileLimit.advice();
            case Errno.ENFILE -> "raise fs.file-max of this machine";
            case Errno.ENOMEM, Errno.ENOBUFS -> "there is no memory for it in the kernel";
            case Errno.EPERM, Errno.EACCES, Errno.ENOSYS -> "allow it in the seccomp filter or security module that this process runs under";
            default -> "trying again each second at least";
        };
    }
}
