package dev.sluice.server;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.sluice.virtio.driver.BlockDriver;
import dev.sluice.virtio.driver.BlockDriverOptions;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import jdk.jfr.consumer.RecordedEvent;
import jdk.jfr.consumer.RecordingFile;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What {@code serve} tells about itself over HTTP and to Java Flight Recorder. */
class MonitoringIT {
    private static final Duration PATIENCE = Duration.ofMinutes(1);

    @TempDir
    Path directory;
    private Path image;
    private Path socket;

    @BeforeEach
    void makeImage() throws IOException {
        image = directory.resolve("disk.img");
        socket = directory.resolve("s");
        SparseFile.create(image, 1 << 20);
    }

    private static HttpResponse<String> get(int port, String path) throws Exception {
        try (HttpClient client = HttpClient.newHttpClient()) {
            URI page = URI.create("http://127.0.0.1:" + port + path);
            return client.send(HttpRequest.newBuilder(page).timeout(PATIENCE).build(), BodyHandlers.ofString());
        }
    }

    private static void await(String what, Callable<Boolean> condition) throws Exception {
        long deadlineNanos = System.nanoTime() + PATIENCE.toNanos();
        while (!condition.call()) {
            assertThat(System.nanoTime() - deadlineNanos).as(what).isNegative();
            LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(50));
        }
    }

    private static JsonNode device(int port) throws Exception {
        return new ObjectMapper().readTree(get(port, "/devices").body()).at("/devices/0");
    }

    @Test
    void shouldTellWhatIsServedToWhomAndWhatWasDone() throws Exception {
        int port = PrometheusServer.freePort();
        try (SluiceProcess serve = SluiceProcess.serve(
                "--socket-path", socket, "--blk-file", image, "--num-queues", 2, "--stage", PassingStageProvider.NAME, "--metrics", "127.0.0.1:" + port)) {
            assertThat(get(port, "/healthz").statusCode()).isEqualTo(200);
            assertThat(get(port, "/readyz").statusCode()).isEqualTo(200);
            assertThat(device(port).get("frontEnd").isNull()).isTrue();
            try (BlockDriver driver = BlockDriver.open(socket.toString(), BlockDriverOptions.defaults().withQueues(2))) {
                driver.disk(0).write(0, MemorySegment.ofArray(new byte[8192]));
                driver.disk(1).read(4096, MemorySegment.ofArray(new byte[4096]));
                // A page may be as old as the interval in which it is shared.
                await("two requests are told", () -> device(port).at("/totals/requests").asLong() == 2);
                JsonNode device = device(port);
                assertThat(device.get("name").asText()).isEqualTo("disk.img");
                assertThat(device.get("image").asText()).isEqualTo(image.toString());
                assertThat(device.get("sizeBytes").asLong()).isEqualTo(1 << 20);
                assertThat(device.get("pipeline").asText()).contains("io_uring");
                assertThat(device.at("/frontEnd/pid").asLong()).isEqualTo(ProcessHandle.current().pid());
                assertThat(device.at("/frontEnd/uid").isNumber()).isTrue();
                assertThat(device.at("/features/negotiated").toString()).contains("F_VERSION_1", "BLK_F_MQ", "F_EVENT_IDX");
                assertThat(device.at("/features/protocol").toString()).contains("CONFIG", "REPLY_ACK");
                assertThat(device.at("/totals/bytes").asLong()).isEqualTo(12_288);
                assertThat(device.get("queues")).hasSize(2);
                assertThat(device.at("/queues/1/state").asText()).isEqualTo("ENABLED");
                assertThat(device.at("/queues/1/loop").asText()).isEqualTo("sluice-loop-0");
                assertThat(get(port, "/metrics").body()).contains(
                        "sluice_request_bytes_total{device=\"disk.img\",op=\"write\",queue=\"0\"} 8192.0\n",
                        "sluice_requests_completed_total{device=\"disk.img\",op=\"read\",path=\"staged\",queue=\"1\"} 1.0\n",
                        "sluice_device_connected{device=\"disk.img\"} 1.0\n",
                        "sluice_connections_total{device=\"disk.img\",event=\"connected\"} 1.0\n");
            }
            await("the end of the connection is told", () -> device(port).get("frontEnd").isNull());
            SluiceProcess.Ended ended = serve.terminate();
            assertThat(ended.status()).as(ended.err()).isZero();
            assertThat(ended.out()).contains("metrics: http://127.0.0.1:" + port + "/metrics\n");
        }
    }

    @Test
    void shouldServeNothingUnlessAskedAndPrintThePortThatItChose() throws Exception {
        try (SluiceProcess serve = SluiceProcess.serve("--socket-path", socket, "--blk-file", image)) {
            assertThat(serve.terminate().out()).doesNotContain("metrics:");
        }
        try (SluiceProcess serve = SluiceProcess.serve("--socket-path", socket, "--blk-file", image, "--metrics", "127.0.0.1:0");
                BlockDriver driver = BlockDriver.open(socket.toString(), BlockDriverOptions.defaults())) {
            // The line follows that of readiness; when a front end was served it is out.
            driver.disk(0).flush();
            assertThat(serve.terminate().out()).containsPattern("\nmetrics: http://127\\.0\\.0\\.1:[1-9][0-9]+/metrics\n");
        }
    }

    @Test
    void shouldSayInOneLineWhatIsWrongWithTheAddress() throws Exception {
        try (ServerSocket taken = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            oneLine("127.0.0.1:" + taken.getLocalPort(), "127.0.0.1:" + taken.getLocalPort(), "another port");
        }
        oneLine("localhost", "HOST:PORT");
        oneLine("127.0.0.1:65536", "65535");
        oneLine("::1:9759", "brackets");
        assertThat(socket).doesNotExist();
    }

    private void oneLine(String address, String... named) throws Exception {
        SluiceProcess.Ended ended = SluiceProcess.run("serve", "--socket-path", socket, "--blk-file", image, "--metrics", address);
        assertThat(ended.status()).as(ended.err()).isNotZero();
        assertThat(ended.err().lines()).as("stderr").hasSize(1);
        assertThat(ended.err()).startsWith("sluice: error: ").contains(named);
        assertThat(ended.out()).isEmpty();
    }

    @Test
    void shouldRecordChangesOfStateWhereARecordingAsksForThem() throws Exception {
        Path recording = directory.resolve("serve.jfr");
        List<String> options = List.of(
                "--enable-native-access=ALL-UNNAMED",
                "--sun-misc-unsafe-memory-access=allow",
                "-Xlog:disable",
                "-XX:StartFlightRecording:settings=none,+dev.sluice.SlowRequest#enabled=true,+dev.sluice.DeviceState#enabled=true");
        try (SluiceProcess serve = SluiceProcess.startWith(options, "serve", "--socket-path", socket, "--blk-file", image, "--slow-request-ms", 1)) {
            await("the socket is there", () -> Files.exists(socket));
            try (BlockDriver driver = BlockDriver.open(socket.toString(), BlockDriverOptions.defaults())) {
                driver.disk(0).flush();
            }
            dump(serve.pid(), recording);
        }
        List<RecordedEvent> events = RecordingFile.readAllEvents(recording);
        assertThat(events).filteredOn(event -> event.getEventType().getName().equals("dev.sluice.DeviceState"))
                .extracting(event -> event.getString("change")).contains("CONNECTED", "STARTED");
    }

    private static void dump(long pid, Path recording) throws Exception {
        String jcmd = Path.of(System.getProperty("java.home"), "bin", "jcmd").toString();
        Process dump = new ProcessBuilder(jcmd, Long.toString(pid), "JFR.dump", "filename=" + recording).redirectErrorStream(true).start();
        String said = new String(dump.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertThat(dump.waitFor()).as(said).isZero();
    }
}
