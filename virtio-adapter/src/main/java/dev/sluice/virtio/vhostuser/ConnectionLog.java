package dev.sluice.virtio.vhostuser;

import dev.sluice.pipeline.LogLimiter;
import dev.sluice.pipeline.LogText;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.slf4j.event.Level;

/**
 * What is logged about the front ends of one disk: each line names the disk, is one line whatever a path or message has in it, and is limited for each
 * kind of line and user at the other end, so that no front end fills the host's disk or hides what another one does.
 *
 * <p><b>Threading:</b> the control thread; {@link #close} after it.
 */
final class ConnectionLog {
    /** What can be repeated by who connects. */
    enum Kind {
        CONNECTED,
        DISCONNECTED,
        VIOLATION,
        REFUSED,
        CONFIG,
        BROKEN,
        ACCEPT
    }

    private record Key(Kind kind, int peerUid) {}

    private static final Logger LOG = LoggerFactory.getLogger(VhostUserServer.class);
    private static final int NOBODY = -1;

    private final String address;
    private final LogLimiter limiter;
    private int peerUid = NOBODY;

    ConnectionLog(String address) {
        this(address, new LogLimiter());
    }

    ConnectionLog(String address, LogLimiter limiter) {
        this.address = address;
        this.limiter = limiter;
    }

    /** Whom the lines are about from now on. */
    void peer(int uid) {
        peerUid = uid;
    }

    void noPeer() {
        peerUid = NOBODY;
    }

    void info(Kind kind, String text) {
        log(Level.INFO, kind, text);
    }

    void warn(Kind kind, String text) {
        log(Level.WARN, kind, text);
    }

    private void log(Level level, Kind kind, String text) {
        if (!LOG.isEnabledForLevel(level)) {
            return;
        }
        String more = limiter.admit(new Key(kind, peerUid));
        if (more != null) {
            LOG.atLevel(level).log("{}: {}{}", address, LogText.escaped(text), more);
        }
    }

    /** With its stack, where it is our own fault or there is no memory. */
    void error(String text, Throwable failed) {
        String more = limiter.admit(text);
        if (more != null) {
            LOG.error("{}: {}{}", address, text, more, failed);
        }
    }

    /** Tells of the lines that were left out since the last one. */
    void close() {
        long suppressed = limiter.takeSuppressed();
        if (suppressed > 0) {
            LOG.warn("{}: {} more lines about front ends were not logged", address, suppressed);
        }
    }
}
