package dev.sluice.server.systemd;

import dev.sluice.linux.Errno;
import dev.sluice.linux.UnixDatagram;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Notifies the service manager of the state of this process.
 *
 * <p><b>Threading:</b> any thread. <b>Failure:</b> a failed notification is logged, and serving continues. Source: sd_notify(3).
 */
public final class ServiceNotifier {
    /** A datagram socket: a path, or {@code @} and an abstract name. */
    public static final String NOTIFY_SOCKET = "NOTIFY_SOCKET";

    private static final Logger LOG = LoggerFactory.getLogger(ServiceNotifier.class);

    private static final String WATCHDOG_USEC = "WATCHDOG_USEC";
    private static final String WATCHDOG_PID = "WATCHDOG_PID";
    private static final long MORE_TIME_SECONDS = 15;

    private final @Nullable String address;
    private final long watchdogNanos;
    /** The status that the manager was sent last; null before readiness. */
    private @Nullable String shown;

    private ServiceNotifier(@Nullable String address, long watchdogNanos) {
        this.address = address;
        this.watchdogNanos = watchdogNanos;
    }

    /** For the manager that the environment of this process names; without one, notifications are dropped. */
    public static ServiceNotifier of(Map<String, String> environment) {
        return of(environment, ProcessHandle.current().pid());
    }

    static ServiceNotifier of(Map<String, String> environment, long pid) {
        String address = environment.get(NOTIFY_SOCKET);
        return address == null || address.isEmpty() ? new ServiceNotifier(null, 0) : new ServiceNotifier(address, watchdogNanos(environment, pid));
    }

    private static long watchdogNanos(Map<String, String> environment, long pid) {
        String period = environment.get(WATCHDOG_USEC);
        String whose = environment.getOrDefault(WATCHDOG_PID, "");
        if (period == null || (!whose.isEmpty() && !whose.equals(Long.toString(pid)))) {
            return 0;
        }
        try {
            long micros = Long.parseLong(period);
            if (micros > 0) {
                return TimeUnit.MICROSECONDS.toNanos(micros);
            }
        } catch (NumberFormatException noNumber) {
            // Logged below.
        }
        LOG.warn("{} is '{}', not a number of microseconds: ignoring the watchdog of the service manager", WATCHDOG_USEC, period);
        return 0;
    }

    /** Whether there is a manager at all. */
    public boolean isThere() {
        return address != null;
    }

    /** The period within which the manager expects a sign of life; 0 if it has no watchdog. */
    public long watchdogNanos() {
        return watchdogNanos;
    }

    /** Everything requested is served. */
    public synchronized void ready(String status) {
        shown = oneLine(status);
        send("READY=1\nSTATUS=" + shown);
    }

    /** The current status; sent after readiness, and only if it has changed. */
    public synchronized void status(Supplier<String> status) {
        if (shown == null) {
            return;
        }
        String now = oneLine(status.get());
        if (!now.equals(shown)) {
            shown = now;
            send("STATUS=" + now);
        }
    }

    /** A sign of life: restarts the period of the watchdog. */
    public void alive() {
        send("WATCHDOG=1");
    }

    /** Stopping takes longer than the manager may expect; to be repeated. */
    public void extendTimeout() {
        send("EXTEND_TIMEOUT_USEC=" + TimeUnit.SECONDS.toMicros(MORE_TIME_SECONDS));
    }

    /** The configuration is being reloaded; {@link #ready} reports the end of that. */
    public void reloading() {
        // System.nanoTime is CLOCK_MONOTONIC on Linux, which is what the manager compares with.
        send("RELOADING=1\nMONOTONIC_USEC=" + TimeUnit.NANOSECONDS.toMicros(System.nanoTime()));
    }

    /** The process finishes its work and terminates. */
    public synchronized void stopping() {
        shown = null;
        send("STOPPING=1\nSTATUS=draining\nEXTEND_TIMEOUT_USEC=" + TimeUnit.SECONDS.toMicros(MORE_TIME_SECONDS));
    }

    private static String oneLine(String text) {
        return text.replace('\n', ' ');
    }

    private void send(String message) {
        String to = address;
        if (to == null) {
            return;
        }
        long sent = UnixDatagram.send(to, message.getBytes(StandardCharsets.UTF_8));
        if (sent < 0) {
            LOG.warn("{} {}: {}: cannot notify the service manager"
                    + " of {}", NOTIFY_SOCKET, to, Errno.describe((int) sent), message.lines().findFirst().orElse(""));
        }
    }
}
