package dev.sluice.server.disk;

import java.net.InetSocketAddress;
import java.time.Duration;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** The options for monitoring a serving process. Filled by picocli, then read. */
public final class MonitoringOptions {
    private static final String LOOPBACK = "127.0.0.1";
    private static final String DEFAULT_ADDRESS = LOOPBACK + ":9759";
    private static final int MAX_PORT = 65_535;

    @Option(
            names = "--metrics",
            arity = "0..1",
            paramLabel = "HOST:PORT",
            fallbackValue = DEFAULT_ADDRESS,
            description = "Serve /metrics, /healthz, /readyz and /devices over HTTP (without a value: " + DEFAULT_ADDRESS + "; port 0: any free port).")
    private @Nullable String metrics;

    @Option(names = "--slow-request-ms", paramLabel = "N",
            description = "Record an event for Java Flight Recorder for every request that takes longer than N milliseconds.")
    private @Nullable Long slowRequestMillis;

    @SuppressWarnings("NullAway.Init") // picocli sets the fields
    public MonitoringOptions() {}

    /**
     * Which observations requests cause.
     *
     * @param counted whether something else needs the counts
     * @throws IllegalArgumentException if a value is out of range; the message names the value and its bounds
     */
    public Observation observation(boolean counted) {
        Long millis = slowRequestMillis;
        if (millis != null && millis < 1) {
            throw new IllegalArgumentException("--slow-request-ms " + millis + " is not 1 or more");
        }
        return new Observation(counted || metrics != null || millis != null, millis == null ? null : Duration.ofMillis(millis));
    }

    /**
     * The address to serve on, null if monitoring is not requested.
     *
     * @throws IllegalArgumentException if the text is not an address; the message quotes it
     */
    public @Nullable InetSocketAddress address() {
        return metrics == null ? null : parse(metrics);
    }

    @SuppressWarnings("AddressSelection") // one socket listens on one address
    static InetSocketAddress parse(String text) {
        InetSocketAddress address = unresolved(text);
        return new InetSocketAddress(address.getHostString(), address.getPort());
    }

    /** Parses without a name lookup. */
    static InetSocketAddress unresolved(String text) {
        if (text.startsWith("[") && text.endsWith("]")) {
            throw new IllegalArgumentException("--metrics '" + text + "': the port is missing: append it to the address, as in [::1]:9759");
        }
        int colon = text.lastIndexOf(':');
        String host = colon < 0 ? LOOPBACK : text.substring(0, colon);
        if (host.startsWith("[") && host.endsWith("]")) {
            host = host.substring(1, host.length() - 1);
        } else if (host.indexOf(':') >= 0) {
            throw new IllegalArgumentException("--metrics '" + text + "': put an IPv6 address in brackets, as in [::1]:9759");
        }
        try {
            int port = Integer.parseInt(text.substring(colon + 1));
            if (port >= 0 && port <= MAX_PORT && !host.isEmpty()) {
                return InetSocketAddress.createUnresolved(host, port);
            }
        } catch (NumberFormatException wrong) {
            // Reported below.
        }
        throw new IllegalArgumentException("--metrics '" + text + "' is not HOST:PORT with a port from 0 to " + MAX_PORT + ", such as " + DEFAULT_ADDRESS);
    }
}
