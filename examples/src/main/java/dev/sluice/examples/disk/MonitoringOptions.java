package dev.sluice.examples.disk;

import java.net.InetSocketAddress;
import java.time.Duration;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** The options that say what is told of a serving process, and where. Filled by picocli, then read. */
public final class MonitoringOptions {
    private static final String LOOPBACK = "127.0.0.1";
    private static final String DEFAULT_ADDRESS = LOOPBACK + ":9759";
    private static final int MAX_PORT = 65_535;

    @Option(
            names = "--metrics",
            arity = "0..1",
            paramLabel = "HOST:PORT",
            fallbackValue = DEFAULT_ADDRESS,
            description = "Serve /metrics, /healthz, /readyz and /devices over HTTP (without a value: " + DEFAULT_ADDRESS + "; port 0: a free one).")
    private @Nullable String metrics;

    @Option(names = "--slow-request-ms", paramLabel = "N", description = "An event for Java Flight Recorder for every request that takes longer than N milliseconds.")
    private @Nullable Long slowRequestMillis;

    @SuppressWarnings("NullAway.Init") // picocli sets the fields
    public MonitoringOptions() {}

    /**
     * What is told of requests.
     *
     * @param counted whether somebody else wants them counted
     * @throws IllegalArgumentException naming the value and its bounds
     */
    public Observation observation(boolean counted) {
        Long millis = slowRequestMillis;
        if (millis != null && millis < 1) {
            throw new IllegalArgumentException("--slow-request-ms " + millis + " is not 1 or more");
        }
        return new Observation(counted || metrics != null || millis != null, millis == null ? null : Duration.ofMillis(millis));
    }

    /**
     * Where to serve, null where that is not asked for.
     *
     * @throws IllegalArgumentException naming what is no address
     */
    public @Nullable InetSocketAddress address() {
        return metrics == null ? null : parse(metrics);
    }

    @SuppressWarnings("AddressSelection") // one socket listens on one address
    static InetSocketAddress parse(String text) {
        InetSocketAddress address = unresolved(text);
        return new InetSocketAddress(address.getHostString(), address.getPort());
    }

    /** Asks nobody for an address. */
    static InetSocketAddress unresolved(String text) {
        if (text.startsWith("[") && text.endsWith("]")) {
            throw new IllegalArgumentException("--metrics '" + text + "': the port is missing: write it behind the address, as in [::1]:9759");
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
            // Said below.
        }
        throw new IllegalArgumentException("--metrics '" + text + "' is not HOST:PORT with a port from 0 to " + MAX_PORT + ", such as " + DEFAULT_ADDRESS);
    }
}
