package dev.sluice.metrics.http;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sluice.metrics.SluiceMetrics;
import dev.sluice.pipeline.BlockOp;
import dev.sluice.pipeline.testing.ManualLoop;
import dev.sluice.pipeline.testing.Patience;
import dev.sluice.pipeline.testing.PollLoop;
import io.micrometer.prometheusmetrics.PrometheusConfig;
import io.micrometer.prometheusmetrics.PrometheusMeterRegistry;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class MonitoringServerTest {
    private static final Duration PATIENCE = Duration.ofSeconds(Patience.seconds(30));

    private final PrometheusMeterRegistry registry = new PrometheusMeterRegistry(PrometheusConfig.DEFAULT);
    private final SluiceMetrics metrics = new SluiceMetrics("disk0", 1);
    private final AtomicReference<Optional<String>> problem = new AtomicReference<>(Optional.empty());
    private final AtomicInteger pages = new AtomicInteger();
    private final HttpClient client = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).connectTimeout(PATIENCE).build();
    private MonitoringServer server;

    @BeforeEach
    void start() throws IOException {
        metrics.bindTo(registry);
        server = settings().pageInterval(Duration.ZERO).start();
    }

    private MonitoringServer.Builder settings() {
        return MonitoringServer.builder()
                .registry(registry)
                .readiness(problem::get)
                .json("/devices", () -> ("[" + pages.incrementAndGet() + "]").getBytes(StandardCharsets.UTF_8))
                .json("/broken", () -> {
                    throw new IllegalStateException("on purpose");
                });
    }

    @AfterEach
    void stop() {
        server.close();
        client.close();
    }

    private HttpRequest.Builder request(String path) {
        return HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + server.address().getPort() + path)).timeout(PATIENCE);
    }

    private HttpResponse<String> get(String path, String... headers) throws Exception {
        HttpRequest.Builder request = request(path);
        return client.send((headers.length == 0 ? request : request.headers(headers)).build(), BodyHandlers.ofString());
    }

    private static String contentType(HttpResponse<String> response) {
        return response.headers().firstValue("Content-Type").orElse("");
    }

    @Test
    void shouldListenOnLoopbackUnlessToldOtherwise() {
        assertThat(server.address().getAddress().isLoopbackAddress()).isTrue();
        assertThat(server.address().getPort()).isPositive();
    }

    @Test
    void shouldNegotiateTheFormatOfMetrics() throws Exception {
        metrics.requestCompleted(0, BlockOp.READ, 4096, 0, 1, 2, 0);
        HttpResponse<String> plain = get("/metrics");
        assertThat(plain.statusCode()).isEqualTo(200);
        assertThat(contentType(plain)).startsWith("text/plain; version=0.0.4");
        assertThat(plain.body()).contains("sluice_request_bytes_total{device=\"disk0\",op=\"read\",queue=\"0\"} 4096.0\n").doesNotContain("# EOF");
        HttpResponse<String> open = get("/metrics", "Accept", "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;q=0.1");
        assertThat(contentType(open)).startsWith("application/openmetrics-text; version=1.0.0");
        HttpResponse<String> refused = get("/metrics", "Accept", "application/openmetrics-text;version=1.0.0;q=0, text/plain");
        assertThat(contentType(refused)).startsWith("text/plain; version=0.0.4");
        HttpResponse<String> inTwoHeaders = get("/metrics", "Accept", "text/plain;q=0.5", "Accept", "Application/OpenMetrics-Text");
        assertThat(contentType(inTwoHeaders)).startsWith("application/openmetrics-text");
        HttpResponse<String> lighter = get("/metrics", "accept", "application/openmetrics-text;q=0.5, text/plain");
        assertThat(contentType(lighter)).startsWith("text/plain; version=0.0.4");
        assertThat(open.body()).endsWith("# EOF\n").contains("sluice_request_duration_seconds_bucket{device=\"disk0\",op=\"read\",le=\"1.0E-5\"} 1\n");
    }

    @Test
    void shouldTellHealthAndReadiness() throws Exception {
        assertThat(get("/healthz").statusCode()).isEqualTo(200);
        assertThat(get("/readyz").body()).isEqualTo("ok\n");
        problem.set(Optional.of("no disk is served"));
        assertThat(get("/readyz").statusCode()).isEqualTo(503);
        assertThat(get("/readyz").body()).isEqualTo("no disk is served\n");
        assertThat(get("/healthz").statusCode()).isEqualTo(200);
    }

    @Test
    void shouldServeJsonAndSayWhatThereIsWherePathsAreWrong() throws Exception {
        assertThat(get("/devices").body()).isEqualTo("[1]");
        assertThat(contentType(get("/devices"))).isEqualTo("application/json");
        for (String wrong : List.of("/", "/metricsx", "/metrics/", "/devices/../metrics")) {
            assertThat(get(wrong).statusCode()).as(wrong).isEqualTo(404);
            assertThat(get(wrong).body()).contains("/devices", "/healthz", "/metrics", "/readyz");
        }
        assertThat(get("/broken").statusCode()).isEqualTo(500);
        assertThat(get("/healthz").statusCode()).isEqualTo(200);
    }

    @Test
    void shouldTakeGetAndHeadAlone() throws Exception {
        HttpResponse<String> head = client.send(request("/metrics").method("HEAD", HttpRequest.BodyPublishers.noBody()).build(), BodyHandlers.ofString());
        assertThat(head.statusCode()).isEqualTo(200);
        assertThat(head.body()).isEmpty();
        assertThat(head.headers().firstValueAsLong("Content-Length").orElse(0)).isPositive();
        for (String method : List.of("POST", "PUT", "DELETE", "OPTIONS", "BREW")) {
            HttpResponse<String> refused =
                    client.send(request("/metrics").method(method, HttpRequest.BodyPublishers.ofString("x")).build(), BodyHandlers.ofString());
            assertThat(refused.statusCode()).as(method).isEqualTo(405);
            assertThat(refused.headers().firstValue("Allow")).hasValue("GET, HEAD");
        }
    }

    @Test
    void shouldSayWhatToDoWhereThePortIsTaken() {
        InetSocketAddress taken = server.address();
        assertThatThrownBy(() -> settings().address(taken).start())
                .isInstanceOf(IOException.class)
                .hasMessageContaining("127.0.0.1:" + taken.getPort())
                .hasMessageContaining("another port");
        assertThatThrownBy(() -> settings().address(InetSocketAddress.createUnresolved("no-such-host.invalid", 1)).start())
                .hasMessageContaining("no-such-host");
    }

    @Test
    void shouldMakeAPageOnceForAllWhoAskWithinTheInterval() throws Exception {
        try (MonitoringServer shared = settings().pageInterval(Duration.ofHours(1)).start()) {
            for (int i = 0; i < 20; i++) {
                URI page = URI.create("http://127.0.0.1:" + shared.address().getPort() + "/devices");
                assertThat(client.send(HttpRequest.newBuilder(page).timeout(PATIENCE).build(), BodyHandlers.ofString()).body()).isEqualTo("[1]");
            }
        }
    }

    /** Clients that never finish what they began keep neither others from being served nor the server from cutting them off. */
    @Test
    void shouldAnswerOthersWhileClientsAreSlowAndThenCutThoseOff() throws Exception {
        List<Socket> slow = new ArrayList<>();
        try {
            for (int i = 0; i < 20; i++) {
                Socket socket = new Socket(server.address().getAddress(), server.address().getPort());
                slow.add(socket);
                socket.getOutputStream().write("GET /metrics HTTP/1.1\r\nHost:".getBytes(StandardCharsets.US_ASCII));
            }
            assertThat(get("/metrics").statusCode()).isEqualTo(200);
            Socket one = slow.getFirst();
            one.setSoTimeout((int) PATIENCE.toMillis());
            try (InputStream in = one.getInputStream()) {
                assertThat(in.read()).as("end of the connection").isEqualTo(-1);
            } catch (java.net.SocketException reset) {
                assertThat(reset).hasMessageContaining("reset");
            }
        } finally {
            for (Socket socket : slow) {
                socket.close();
            }
        }
    }

    @Test
    void shouldRefuseConnectionsBeyondTheLimitAndServeAgainOnceThereIsRoom() throws Exception {
        List<Socket> many = new ArrayList<>();
        try {
            for (int i = 0; i < 80; i++) {
                Socket socket = new Socket(server.address().getAddress(), server.address().getPort());
                many.add(socket);
                socket.getOutputStream().write("GET /".getBytes(StandardCharsets.US_ASCII));
            }
        } finally {
            for (Socket socket : many) {
                socket.close();
            }
        }
        long deadlineNanos = System.nanoTime() + PATIENCE.toNanos();
        int status = 0;
        while (status != 200 && System.nanoTime() - deadlineNanos < 0) {
            try {
                status = get("/healthz").statusCode();
            } catch (IOException full) {
                Thread.onSpinWait();
            }
        }
        assertThat(status).isEqualTo(200);
    }

    @Test
    void shouldFindALoopThatHangsAndOneThatHasEnded() throws Exception {
        PollLoop ended = PollLoop.start("ended");
        ended.close();
        assertThat(new LoopHealth(List.of(ended), PATIENCE).get()).hasValue("loop ended has terminated");
        try (PollLoop loop = PollLoop.start("busy")) {
            CountDownLatch release = new CountDownLatch(1);
            CompletableFuture<Boolean> blocked = new CompletableFuture<>();
            loop.execute(() -> {
                blocked.complete(true);
                try {
                    release.await();
                } catch (InterruptedException ending) {
                    Thread.currentThread().interrupt();
                }
            });
            blocked.get();
            LoopHealth health = new LoopHealth(List.of(loop), Duration.ofMillis(20));
            assertThat(health.get()).hasValue("loop busy does not respond");
            assertThat(health.get()).as("asked once").hasValue("loop busy does not respond");
            release.countDown();
            assertThat(new LoopHealth(List.of(loop), PATIENCE).get()).isEmpty();
        }
    }

    @Test
    void shouldAskALoopThatDoesNotAnswerOnce() {
        try (ManualLoop loop = new ManualLoop()) {
            LoopHealth health = new LoopHealth(List.of(loop), Duration.ofMillis(1));
            for (int i = 0; i < 10; i++) {
                assertThat(health.get()).isPresent();
            }
            loop.tick();
            assertThat(loop.counters().tasks()).isEqualTo(1);
            assertThat(health.get()).isEmpty();
        }
    }
}
