package dev.sluice.metrics.http;

import com.sun.net.httpserver.Headers;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
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
 * <p>{@code /metrics} is Prometheus text, or OpenMetrics where the client prefers that. {@code /healthz} and {@code /readyz} answer 200 or, with what is
 * wrong, 503.
 *
 * <p>Clients are not trusted: there are at most {@value #MAX_CONNECTIONS} connections, a request and its answer have {@value #EXCHANGE_SECONDS} seconds
 * each, headers are limited, no answer is made more often than 20 times a second, and all who get one share its bytes. The limits are
 * system properties of the JDK's server, set where nobody has set them before; they hold for all such servers of the process.
 *
 * <p>Where there is no descriptor for a connection the socket is closed until there is one again ({@link AcceptGuard}).
 *
 * <p><b>Threading:</b> any thread; each exchange has a thread. <b>Ownership:</b> the registry stays the caller's. <b>Failure:</b> {@link Builder#start} throws
 * {@link IOException} with a line that says what to do; what fails later is that request's 500.
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

    /** Before the JDK's server reads its limits, which it does once. */
    private static void limit(String property, int value) {
        if (System.getProperty(property) == null) {
            System.setProperty(property, Integer.toString(value));
        }
    }

    /** Another one after there were no descriptors for a while. */
    private volatile HttpServer server;

    private final InetSocketAddress bound;
    private final AtomicLong dispatcherId = new AtomicLong();
    private @Nullable AcceptGuard guard;

    /** Not virtual ones, though they would be cheaper: on those the JDK's BufferedWriter grows by what is written, and a page of metrics costs 20 MB of garbage. */
    private final ExecutorService threads = Executors.newThreadPerTaskExecutor(Thread.ofPlatform().daemon().name("sluice-http-", 0).factory());

    private final Map<String, Route> routes = new HashMap<>();
    private final AtomicLong failures = new AtomicLong();

    /** What a path answers. */
    @FunctionalInterface
    private interface Route {
        Answer answer(Headers request) throws IOException;
    }

    /** Its bytes are shared by all who get it. */
    private static final class Answer {
        final int status;
        final String contentType;
        final byte[] body;

        Answer(int status, String contentType, byte[] body) {
            this.status = status;
            this.contentType = contentType;
            this.body = body;
        }

        static Answer text(int status, String line) {
            return new Answer(status, TEXT, (line + "\n").getBytes(StandardCharsets.UTF_8));
        }
    }

    private MonitoringServer(Builder settings, InetSocketAddress address) throws IOException {
        server = HttpServer.create(address, BACKLOG);
        bound = server.getAddress();
        long interval = settings.pageInterval.toNanos();
        PrometheusMeterRegistry registry = settings.registry;
        if (registry != null) {
            routes.put("/metrics", metrics(registry, settings.beforeScrape, interval));
        }
        put("/healthz", interval, () -> verdict(settings.health));
        put("/readyz", interval, () -> verdict(settings.readiness));
        settings.json.forEach((path, page) -> put(path, interval, () -> new Answer(200, "application/json", page.get())));
    }

    /** Begins to serve. */
    private void start() {
        server.setExecutor(threads);
        server.createContext("/", this::handle);
        server.start();
        // The JDK's server does not tell which thread accepts: the one of this name that came last.
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

    private void put(String path, long interval, Shared.Source<Answer> source) {
        Shared<Answer> shared = new Shared<>(source, interval);
        routes.put(path, request -> shared.value());
    }

    public static Builder builder() {
        return new Builder();
    }

    /** Where it listens; with the port that was chosen where 0 was asked for. */
    public InetSocketAddress address() {
        return bound;
    }

    /** Ends all connections. Idempotent. */
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

    private static Route metrics(PrometheusMeterRegistry registry, Runnable before, long interval) {
        ExpositionFormats formats = ExpositionFormats.init();
        Shared<Answer> asText = scrape(registry, before, formats.getPrometheusTextFormatWriter(), interval);
        Shared<Answer> asOpenMetrics = scrape(registry, before, formats.getOpenMetricsTextFormatWriter(), interval);
        return request -> switch (ExpositionFormat.of(request.getOrDefault("Accept", List.of()))) {
            case TEXT -> asText.value();
            case OPEN_METRICS -> asOpenMetrics.value();
        };
    }

    private static Shared<Answer> scrape(PrometheusMeterRegistry registry, Runnable before, ExpositionFormatWriter format, long interval) {
        return new Shared<>(
                () -> {
                    before.run();
                    ByteArrayOutputStream page = new ByteArrayOutputStream(1 << 16);
                    registry.scrape(page, format.getContentType());
                    return new Answer(200, format.getContentType(), page.toByteArray());
                },
                interval);
    }

    private static Answer verdict(Supplier<Optional<String>> check) {
        return check.get().map(problem -> Answer.text(503, problem)).orElseGet(() -> Answer.text(200, "ok"));
    }

    // ---- one exchange

    private void handle(HttpExchange exchange) throws IOException {
        try (exchange) {
            Answer answer = answer(exchange);
            exchange.getResponseHeaders().set("Content-Type", answer.contentType);
            exchange.getResponseHeaders().set("X-Content-Type-Options", "nosniff");
            if (exchange.getRequestMethod().equals("HEAD")) {
                exchange.getResponseHeaders().set("Content-Length", Integer.toString(answer.body.length));
                exchange.sendResponseHeaders(answer.status, -1);
                return;
            }
            exchange.sendResponseHeaders(answer.status, answer.body.length == 0 ? -1 : answer.body.length);
            try (OutputStream body = exchange.getResponseBody()) {
                body.write(answer.body);
            }
        }
    }

    private Answer answer(HttpExchange exchange) {
        String method = exchange.getRequestMethod();
        if (!method.equals("GET") && !method.equals("HEAD")) {
            exchange.getResponseHeaders().set("Allow", "GET, HEAD");
            return Answer.text(405, "only GET and HEAD");
        }
        Route route = routes.get(exchange.getRequestURI().getPath());
        if (route == null) {
            return Answer.text(404, "there are " + String.join(", ", routes.keySet().stream().sorted().toList()));
        }
        try {
            return route.answer(exchange.getRequestHeaders());
        } catch (IOException | RuntimeException failed) {
            // The 1st, 2nd, 4th, 8th ... time: whoever asks decides how often.
            long count = failures.incrementAndGet();
            if (Long.bitCount(count) == 1) {
                LOG.warn("{} could not be answered, {} failures so far", exchange.getRequestURI().getPath(), count, failed);
            }
            return Answer.text(500, "failed; the log says why");
        }
    }

    /** Settings of a server. Not thread safe; used once. */
    public static final class Builder {
        private InetSocketAddress address = new InetSocketAddress(InetAddress.getLoopbackAddress(), 0);
        private @Nullable PrometheusMeterRegistry registry;
        private Runnable beforeScrape = () -> {};
        private Supplier<Optional<String>> health = Optional::empty;
        private Supplier<Optional<String>> readiness = Optional::empty;
        private final Map<String, Supplier<byte[]>> json = new HashMap<>();
        private Duration pageInterval = PAGE_INTERVAL;

        private Builder() {}

        /** Where to listen; port 0 takes a free one. Loopback and a free port unless said otherwise. */
        public Builder address(InetSocketAddress address) {
            this.address = address;
            return this;
        }

        /** What {@code /metrics} shows; without one there is no such page. */
        public Builder registry(PrometheusMeterRegistry registry) {
            this.registry = registry;
            return this;
        }

        /** Runs before {@code /metrics} is made, to bring the registry up to date. */
        public Builder beforeScrape(Runnable beforeScrape) {
            this.beforeScrape = beforeScrape;
            return this;
        }

        /** What is wrong with the process, in a line, or nothing. May wait for seconds. */
        public Builder health(Supplier<Optional<String>> health) {
            this.health = health;
            return this;
        }

        /** Why the process does not serve yet or any more, in a line, or nothing. */
        public Builder readiness(Supplier<Optional<String>> readiness) {
            this.readiness = readiness;
            return this;
        }

        /** A page of JSON in UTF-8. */
        public Builder json(String path, Supplier<byte[]> page) {
            json.put(path, page);
            return this;
        }

        /** How old a page may be that somebody else has asked for. */
        Builder pageInterval(Duration interval) {
            this.pageInterval = interval;
            return this;
        }

        /**
         * Begins to serve.
         *
         * @throws IOException in one line that names the address and says what to do
         */
        public MonitoringServer start() throws IOException {
            String where = address.getHostString() + ":" + address.getPort();
            if (address.isUnresolved()) {
                throw new IOException("no address is known for the host of " + where + ": name an address of this machine");
            }
            MonitoringServer made;
            try {
                made = new MonitoringServer(this, address);
            } catch (IOException refused) {
                throw new IOException(
                        "cannot listen on " + where + " (" + refused.getMessage() + "): choose another port, 0 for a free one, and an address of this machine",
                        refused);
            }
            made.start();
            made.guard = new AcceptGuard(made.new Guarded());
            return made;
        }
    }
}
