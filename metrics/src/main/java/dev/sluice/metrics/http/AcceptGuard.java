package dev.sluice.metrics.http;

import dev.sluice.linux.EventFd;
import dev.sluice.linux.Fd;
import dev.sluice.linux.OpenFileLimit;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Stops the JDK's HTTP server from spinning. When a connection waits and no descriptor is left to accept it, that server retries at once, forever, and
 * occupies a core. The guard closes the listening socket until descriptors are free again, so that new clients are refused instead of kept waiting.
 * Established connections are served while the socket is closed.
 *
 * <p><b>Threading:</b> a thread of its own, which wakes up briefly once a second.
 */
final class AcceptGuard implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(MonitoringServer.class);
    private static final Duration INTERVAL = Duration.ofSeconds(1);
    /** CPU time of the dispatcher per interval above which it spins; a serving dispatcher uses a hundredth of it. */
    private static final long SPINNING_NANOS = 50_000_000;
    /** Descriptors that must be free before the socket is opened again: a few for the server itself, the rest for connections. */
    private static final int MARGIN = 8;

    /** The HTTP server, which the guard can close and open again. */
    interface Server {
        /** The id of the thread that accepts; 0 if there is none. */
        long dispatcherId();

        void shut();

        void reopen() throws IOException;

        String where();
    }

    private final Server server;
    private final ThreadMXBean threads = ManagementFactory.getThreadMXBean();
    private final Thread thread;
    private long dispatcher;
    private long cpuNanos;

    AcceptGuard(Server server) {
        this.server = server;
        this.thread = Thread.ofPlatform().daemon().name("sluice-http-guard").start(this::run);
    }

    private void run() {
        try {
            while (true) {
                Thread.sleep(INTERVAL);
                boolean spins = dispatcherIsBusy();
                if (spins && OpenFileLimit.isReached()) {
                    server.shut();
                    LOG.warn("{}: out of file descriptors, refusing connections until some are free: {}", server.where(), OpenFileLimit.advice());
                    reopen();
                }
            }
        } catch (InterruptedException closed) {
            // Closed: the owner interrupts this thread.
        }
    }

    private boolean dispatcherIsBusy() {
        long id = server.dispatcherId();
        long now = id == 0 ? 0 : Math.max(0, threads.getThreadCpuTime(id));
        boolean busy = id == dispatcher && now - cpuNanos > SPINNING_NANOS;
        dispatcher = id;
        cpuNanos = now;
        return busy;
    }

    private void reopen() throws InterruptedException {
        boolean logged = false;
        while (true) {
            Thread.sleep(INTERVAL);
            if (!hasDescriptors()) {
                continue;
            }
            try {
                server.reopen();
                LOG.info("{}: accepting connections again", server.where());
                return;
            } catch (IOException refused) {
                if (!logged) {
                    LOG.warn("{}: cannot accept connections yet, retrying: {}", server.where(), refused.getMessage());
                    logged = true;
                }
            }
        }
    }

    private static boolean hasDescriptors() {
        List<Fd> probes = new ArrayList<>(MARGIN);
        try {
            for (int i = 0; i < MARGIN; i++) {
                int fd = EventFd.create(0, EventFd.EFD_CLOEXEC);
                if (fd < 0) {
                    return false;
                }
                probes.add(Fd.adopt(fd));
            }
            return true;
        } finally {
            probes.forEach(Fd::close);
        }
    }

    /** Stops the guard and waits for its thread. */
    @Override
    public void close() {
        thread.interrupt();
        boolean interrupted = false;
        while (true) {
            try {
                thread.join();
                break;
            } catch (InterruptedException later) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }
}
