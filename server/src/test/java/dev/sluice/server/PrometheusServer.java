package dev.sluice.server;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.File;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.Assertions;
import org.junit.jupiter.api.Assumptions;

/** Debian's Prometheus in a process of its own, that scrapes one Sluice every second. */
public final class PrometheusServer implements AutoCloseable {
    private static final String MODE_VARIABLE = "SLUICE_PROMETHEUS";
    private static final Duration PATIENCE = Duration.ofMinutes(2);
    private static final long PAUSE_NANOS = TimeUnit.MILLISECONDS.toNanos(200);

    private final HttpClient client = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
    private final ObjectMapper json = new ObjectMapper();
    private final Process process;
    private final Path log;
    private final URI base;

    private PrometheusServer(Process process, Path log, URI base) {
        this.process = process;
        this.log = log;
        this.base = base;
    }

    /** Goes on where Prometheus is installed; else the test is skipped loudly, or fails where Prometheus is required. */
    public static void orSkip(Class<?> test) {
        if (installed("prometheus") && installed("promtool")) {
            return;
        }
        String reason = test.getSimpleName() + " needs a real Prometheus; install it with: apt-get install prometheus";
        if ("required".equals(System.getenv(MODE_VARIABLE))) {
            Assertions.fail(MODE_VARIABLE + "=required, but " + reason);
        }
        String rule = "*".repeat(100) + "\n";
        System.err.print("\n" + rule + "* SKIPPED: " + reason + "\n* Dashboard and alert rules were not tried.\n* " + MODE_VARIABLE
                + "=required makes this a failure.\n" + rule);
        Assumptions.abort(reason);
    }

    private static boolean installed(String program) {
        for (String directory : System.getenv("PATH").split(File.pathSeparator, -1)) {
            if (Files.isExecutable(Path.of(directory, program))) {
                return true;
            }
        }
        return false;
    }

    public static int freePort() throws IOException {
        try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            return socket.getLocalPort();
        }
    }

    public static PrometheusServer start(Path directory, String target, Path rules) throws Exception {
        Path configuration = directory.resolve("prometheus.yml");
        Files.writeString(configuration, """
                global: {scrape_interval: 1s, evaluation_interval: 1s}
                rule_files: ["%s"]
                scrape_configs:
                  - job_name: sluice
                    static_configs: [{targets: ["%s"]}]
                """.formatted(rules.toAbsolutePath(), target));
        String address = "127.0.0.1:" + freePort();
        Path log = directory.resolve("prometheus.log");
        Process started = new ProcessBuilder("prometheus", "--config.file=" + configuration, "--storage.tsdb.path=" + directory.resolve("tsdb"),
                "--web.listen-address=" + address, "--log.level=warn")
                .redirectErrorStream(true)
                .redirectOutput(log.toFile())
                .start();
        PrometheusServer server = new PrometheusServer(started, log, URI.create("http://" + address));
        try {
            server.await("readiness", server::ready);
        } catch (Throwable failed) {
            server.close();
            throw failed;
        }
        return server;
    }

    /** Something of the server's that comes to be true. */
    public interface Condition {
        boolean holds() throws IOException, InterruptedException;
    }

    public void await(String what, Condition condition) throws IOException, InterruptedException {
        long deadlineNanos = System.nanoTime() + PATIENCE.toNanos();
        while (!condition.holds()) {
            if (!process.isAlive() || System.nanoTime() - deadlineNanos > 0) {
                throw new AssertionError(
                        what + " did not come; Prometheus " + (process.isAlive() ? "runs" : "has ended") + " and says:\n" + Files.readString(log));
            }
            LockSupport.parkNanos(PAUSE_NANOS);
        }
    }

    private boolean ready() throws InterruptedException {
        try {
            return client.send(HttpRequest.newBuilder(base.resolve("/-/ready")).timeout(PATIENCE).build(), BodyHandlers.discarding()).statusCode() == 200;
        } catch (IOException notYet) {
            return false;
        }
    }

    /** The {@code data} of an answer of the HTTP API. */
    public JsonNode api(String pathAndQuery) throws IOException, InterruptedException {
        HttpRequest request = HttpRequest.newBuilder(base.resolve("/api/v1/" + pathAndQuery)).timeout(PATIENCE).build();
        JsonNode answer = json.readTree(client.send(request, BodyHandlers.ofString()).body());
        assertThat(answer.path("status").asText()).as("%s: %s", pathAndQuery, answer).isEqualTo("success");
        return answer.get("data");
    }

    public static String encoded(String text) {
        return URLEncoder.encode(text, StandardCharsets.UTF_8);
    }

    /** The series that an expression gives now. */
    public JsonNode query(String expression) throws IOException, InterruptedException {
        return api("query?query=" + encoded(expression)).get("result");
    }

    /** Whether an expression gives a number for a series now. */
    public boolean hasData(String expression) throws IOException, InterruptedException {
        for (JsonNode series : query(expression)) {
            if (!series.get("value").get(1).asText().equals("NaN")) {
                return true;
            }
        }
        return false;
    }

    /** Runs promtool; returns all that it says after it has succeeded. */
    public static String promtool(Path standardInput, String... arguments) throws Exception {
        List<String> command = new ArrayList<>(List.of("promtool"));
        command.addAll(List.of(arguments));
        Process tool = new ProcessBuilder(command).redirectErrorStream(true).redirectInput(standardInput.toFile()).start();
        String said = new String(tool.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertThat(tool.waitFor()).as("%s: %s", command, said).isZero();
        return said;
    }

    @Override
    public void close() {
        process.destroy();
        try {
            if (!process.waitFor(PATIENCE.toSeconds(), TimeUnit.SECONDS)) {
                process.destroyForcibly().waitFor();
            }
        } catch (InterruptedException ending) {
            Thread.currentThread().interrupt();
        } finally {
            client.close();
        }
    }
}
