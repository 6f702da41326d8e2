package dev.sluice.metrics.http;

import com.sun.net.httpserver.Headers;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import dev.sluice.pipeline.RateLimitedLog;
import io.micrometer.prometheusmetrics.PrometheusMeterRegistry;
import io.prometheus.metrics.expositionformats.ExpositionFormatWriter;
import io.prometheus.metrics.expositionformats.ExpositionFormats;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * {@code /metrics}, {@code /healthz}, {@code /readyz} and pages of JSON over HTTP, for GET and HEAD.
 *
 * <p>{@code /metrics} is Prometheus text, or OpenMetrics if the client prefers that. {@code /healthz} and {@code /readyz} respond with 200, or with 503 and
 * the problem.
 *
 * <p>Clients are not trusted: there are at most {@value #MAX_CONNECTIONS} connections, a request and its response have {@value #EXCHANGE_SECONDS} seconds
 * each, headers are limited, no page is produced more often than 20 times a second, and all its clients share the same bytes. The limits are
 * system properties of the JDK's server, set unless somebody has set them before; they apply to all such servers of the process.
 *
 * <p>If there is no descriptor for a connection the listening socket is closed until there is one again ({@link AcceptGuard}).
 *
 * <p><b>Threading:</b> any thread; each exchange has a thread. <b>Ownership:</b> the registry stays the caller's. <b>Failure:</b> {@link Builder#start} throws
 * {@link IOException} with one line that contains the remedy; a later failure is a 500 for that request.
 */
public final class MonitoringServer implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(MonitoringServer.class);
    private static final int MAX_CONNECTIONS = 64;
    private static final int EXCHANGE_SECONDS = 10;
    private static final int BACKLOG = 16;
    private static final Duration PAGE_INTERVAL = Duration.ofMillis(50);
    private static final String TEXT = "text/plain; charset=utf-8";

    static {
        limit("jdk.httpserver.maxConnections", MAX_CONNECTIONS);
        limit("sun.net.httpserver.maxIdleConnections", MAX_CONNECTIONS / 2);
        limit("sun.net.httpserver.maxReqTime", EXCHANGE_SECONDS);
        limit("sun.net.httpserver.maxRspTime", EXCHANGE_SECONDS);
        limit("sun.net.httpserver.maxReqHeaders", 100);
        limit("sun.net.httpserver.maxReqHeaderSize", 16_384);
    }

    /** Takes effect only before the JDK's server reads its limits, which it does once. */
    private static void limit(String property, int value) {
        if (System.getProperty(property) == null) {
            System.setProperty(property, Integer.toString(value));
        }
    }

    /** Replaced after the server ran out of descriptors. */
    private volatile HttpServer server;

    private final InetSocketAddress bound;
    private final AtomicLong dispatcherId = new AtomicLong();
    private @Nullable AcceptGuard guard;

    /**
     * Platform threads, though virtual ones would be cheaper: on those the JDK's BufferedWriter grows with its output, and a page of metrics costs 20 MB of
     * garbage.
     */
    private final ExecutorService threads = Executors.newThreadPerTaskExecutor(Thread.ofPlatform().daemon().name("sluice-http-", 0).factory());

    private final Map<String, Route> routes = new HashMap<>();
    private final RateLimitedLog failures = new RateLimitedLog(LOG);

    /** Produces the response for a path. */
    @FunctionalInterface
    private interface Route {
        Response respond(Headers request) throws IOException;
    }

    /** All clients of a page share its bytes. */
    private static final class Response {
        final int status;
        final String contentType;
        final byte[] body;

        Response(int status, String contentType, byte[] body) {
            this.status = status;
            this.contentType = contentType;
            this.body = body;
        }

        static Response text(int status, String line) {
            return new Response(status, TEXT, (line + "\n").getBytes(StandardCharsets.UTF_8));
        }
    }

    private MonitoringServer(Builder settings, InetSocketAddress address) throws IOException {
        server = HttpServer.create(address, BACKLOG);
        bound = server.getAddress();
        long interval = settings.pageInterval.toNanos();
        PrometheusMeterRegistry registry = settings.registry;
        if (registry != null) {
            routes.put("/metrics", metrics(registry, interval));
        }
        put("/healthz", interval, () -> verdict(settings.health));
        put("/readyz", interval, () -> verdict(settings.readiness));
        settings.json.forEach((path, page) -> put(path, interval, () -> new Response(200, "application/json", page.get())));
    }

    /** Starts serving. */
    private void start() {
        server.setExecutor(threads);
        server.createContext("/", this::handle);
        server.start();
        // The JDK's server does not expose the thread that accepts: it is the latest one of this name.
        dispatcherId.set(Thread.getAllStackTraces().keySet().stream()
                .filter(thread -> thread.getName().equals("HTTP-Dispatcher"))
                .mapToLong(Thread::threadId)
                .max()
                .orElse(0));
    }

    private final class Guarded implements AcceptGuard.Server {
        @Override
        public long dispatcherId() {
            return dispatcherId.get();
        }

        @Override
        public void shut() {
            server.stop(0);
            dispatcherId.set(0);
        }

        @Override
        public void reopen() throws IOException {
            server = HttpServer.create(bound, BACKLOG);
            start();
        }

        @Override
        public String where() {
            return "http://" + bound.getHostString() + ":" + bound.getPort();
        }
    }

    private void put(String path, long interval, Shared.Source<Response> source) {
        Shared<Response> shared = new Shared<>(source, interval);
        routes.put(path, request -> shared.value());
    }

    public static Builder builder() {
        return new Builder();
    }

    /** Where it listens; with the port that was chosen if 0 was requested. */
    public InetSocketAddress address() {
        return bound;
    }

    /** Closes all connections. Idempotent. */
    @Override
    public void close() {
        AcceptGuard watching = guard;
        if (watching != null) {
            watching.close();
        }
        server.stop(0);
        threads.shutdownNow();
    }

    // ---- what is served

    private static Route metrics(PrometheusMeterRegistry registry, long interval) {
        ExpositionFormats formats = ExpositionFormats.init();
        Shared<Response> asText = scrape(registry, formats.getPrometheusTextFormatWriter(), interval);
        Shared<Response> asOpenMetrics = scrape(registry, formats.getOpenMetricsTextFormatWriter(), interval);
        return request -> switch (ExpositionFormat.of(request.getOrDefault("Accept", List.of()))) {
            case TEXT -> asText.value();
            case OPEN_METRICS -> asOpenMetrics.value();
        };
    }

    private static Shared<Response> scrape(PrometheusMeterRegistry registry, ExpositionFormatWriter format, long interval) {
        return new Shared<>(
                () -> {
                    ByteArrayOutputStream page = new ByteArrayOutputStream(1 << 16);
                    registry.scrape(page, format.getContentType());
                    return new Response(200, format.getContentType(), page.toByteArray());
                },
                interval);
    }

    private static Response verdict(Supplier<Optional<String>> check) {
        return check.get().map(problem -> Response.text(503, problem)).orElseGet(() -> Response.text(200, "ok"));
    }

    // ---- one exchange

    private void handle(HttpExchange exchange) throws IOException {
        try (exchange) {
            Response response = respond(exchange);
            exchange.getResponseHeaders().set("Content-Type", response.contentType);
            exchange.getResponseHeaders().set("X-Content-Type-Options", "nosniff");
            if (exchange.getRequestMethod().equals("HEAD")) {
                exchange.getResponseHeaders().set("Content-Length", Integer.toString(response.body.length));
                exchange.sendResponseHeaders(response.status, -1);
                return;
            }
            exchange.sendResponseHeaders(response.status, response.body.length == 0 ? -1 : response.body.length);
            try (OutputStream body = exchange.getResponseBody()) {
                body.write(response.body);
            }
        }
    }

    private Response respond(HttpExchange exchange) {
        String method = exchange.getRequestMethod();
        if (!method.equals("GET") && !method.equals("HEAD")) {
            exchange.getResponseHeaders().set("Allow", "GET, HEAD");
            return Response.text(405, "only GET and HEAD");
        }
        Route route = routes.get(exchange.getRequestURI().getPath());
        if (route == null) {
            return Response.text(404, "there are " + String.join(", ", routes.keySet().stream().sorted().toList()));
        }
        try {
            return route.respond(exchange.getRequestHeaders());
        } catch (IOException | RuntimeException failed) {
            // Clients control how often requests fail.
            if (failures.admits()) {
                LOG.warn("request for {} failed", exchange.getRequestURI().getPath(), failed);
            }
            return Response.text(500, "failed; see the log");
        }
    }

    /** Settings of a server. Not thread safe; used once. */
    public static final class Builder {
        private InetSocketAddress address = new InetSocketAddress(InetAddress.getLoopbackAddress(), 0);
        private @Nullable PrometheusMeterRegistry registry;
        private Supplier<Optional<String>> health = Optional::empty;
        private Supplier<Optional<String>> readiness = Optional::empty;
        private final Map<String, Supplier<byte[]>> json = new HashMap<>();
        private Duration pageInterval = PAGE_INTERVAL;

        private Builder() {}

        /** Where to listen; port 0 picks a free one. By default loopback and a free port. */
        public Builder address(InetSocketAddress address) {
            this.address = address;
            return this;
        }

        /** The registry of {@code /metrics}; without one there is no such page. */
        public Builder registry(PrometheusMeterRegistry registry) {
            this.registry = registry;
            return this;
        }

        /** The problem of the process in one line, or empty. May block for seconds. */
        public Builder health(Supplier<Optional<String>> health) {
            this.health = health;
            return this;
        }

        /** Why the process does not serve, yet or any more, in one line, or empty. */
        public Builder readiness(Supplier<Optional<String>> readiness) {
            this.readiness = readiness;
            return this;
        }

        /** A page of JSON in UTF-8. */
        public Builder json(String path, Supplier<byte[]> page) {
            json.put(path, page);
            return this;
        }

        /** How long clients share one copy of a page. */
        Builder pageInterval(Duration interval) {
            this.pageInterval = interval;
            return this;
        }

        /**
         * Starts serving.
         *
         * @throws IOException with one line that names the address and the remedy
         */
        public MonitoringServer start() throws IOException {
            String where = address.getHostString() + ":" + address.getPort();
            if (address.isUnresolved()) {
                throw new IOException("cannot resolve the host of " + where + ": use an address of this machine");
            }
            MonitoringServer made;
            try {
                made = new MonitoringServer(this, address);
            } catch (IOException refused) {
                throw new IOException(
                        "cannot listen on " + where + " (" + refused.getMessage() + "): use another port (0 for a free one) and an address of this machine",
                        refused);
            }
            made.start();
            made.guard = new AcceptGuard(made.new Guarded());
            return made;
        }
    }
}
