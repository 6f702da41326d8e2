package dev.sluice.examples.systemd;

import dev.sluice.linux.UnixDatagram;
import dev.sluice.pipeline.Errno;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Tells the service manager what this process is up to.
 *
 * <p><b>Threading:</b> any thread. <b>Failure:</b> a manager that cannot be told is logged, and serving goes on. Source: sd_notify(3).
 */
public final class ServiceNotifier {
    /** A datagram socket: a path, or {@code @} and an abstract name. */
    public static final String NOTIFY_SOCKET = "NOTIFY_SOCKET";

    private static final Logger LOG = LoggerFactory.getLogger(ServiceNotifier.class);

    private final @Nullable String address;

    private ServiceNotifier(@Nullable String address) {
        this.address = address;
    }

    /** For the manager that the environment names; where it names none, nobody is told. */
    public static ServiceNotifier of(Map<String, String> environment) {
        String address = environment.get(NOTIFY_SOCKET);
        return new ServiceNotifier(address == null || address.isEmpty() ? null : address);
    }

    /** Everything that was asked for is served. */
    public void ready(String status) {
        send("READY=1\nSTATUS=" + oneLine(status));
    }

    /** The configuration is being read again; {@link #ready} says that it is done. */
    public void reloading() {
        // System.nanoTime is CLOCK_MONOTONIC on Linux, which is what the manager compares with.
        send("RELOADING=1\nMONOTONIC_USEC=" + TimeUnit.NANOSECONDS.toMicros(System.nanoTime()));
    }

    /** What was begun is being finished, then the process ends. */
    public void stopping() {
        send("STOPPING=1\nSTATUS=draining");
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
            LOG.warn("{} {}: {}: the service manager is not told {}", NOTIFY_SOCKET, to, Errno.describe((int) sent), message.lines().findFirst().orElse(""));
        }
    }
}
