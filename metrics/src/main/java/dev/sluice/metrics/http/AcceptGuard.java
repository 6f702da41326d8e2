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
 * Ends what the JDK's HTTP server does where a connection waits and there is no descriptor for it: to try again at once, for ever, on a core of its own.
 * Its socket is closed until there are descriptors again, so that who asks is refused instead of kept waiting. Connections that are there are served as
 * long as nobody else comes.
 *
 * <p><b>Threading:</b> a thread of its own, which sleeps but for a moment each second.
 */
final class AcceptGuard implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(MonitoringServer.class);
    private static final Duration INTERVAL = Duration.ofSeconds(1);
    /** Of the dispatcher in an interval; where it serves it takes a hundredth of it. */
    private static final long SPINNING_NANOS = 50_000_000;
    /** Descriptors that must be free before the socket is opened again: its own few, and connections. */
    private static final int MARGIN = 8;

    /** The HTTP server, as something that can be closed and opened again. */
    interface Server {
        /** The thread that accepts; 0 where there is none. */
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
                    LOG.warn("{}: not served until there are file descriptors again: {}", server.where(), OpenFileLimit.advice());
                    reopen();
                }
            }
        } catch (InterruptedException closed) {
            // As asked for.
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
        boolean told = false;
        while (true) {
            Thread.sleep(INTERVAL);
            if (!hasDescriptors()) {
                continue;
            }
            try {
                server.reopen();
                LOG.info("{}: served again", server.where());
                return;
            } catch (IOException refused) {
                if (!told) {
                    LOG.warn("{}: cannot be served again yet: {}", server.where(), refused.getMessage());
                    told = true;
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

    /** Waits until the server is left alone. */
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
