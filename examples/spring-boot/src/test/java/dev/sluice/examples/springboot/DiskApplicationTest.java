package dev.sluice.examples.springboot;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.device.BlockDevice;
import dev.sluice.virtio.driver.BlockDriver;
import dev.sluice.virtio.driver.BlockDriverOptions;
import dev.sluice.virtio.driver.BlockingDisk;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.springframework.beans.factory.annotation.Autowired;
import org.springframework.boot.test.context.SpringBootTest;
import org.springframework.boot.test.context.SpringBootTest.WebEnvironment;
import org.springframework.boot.test.web.server.LocalServerPort;
import org.springframework.test.annotation.DirtiesContext;
import org.springframework.test.context.DynamicPropertyRegistry;
import org.springframework.test.context.DynamicPropertySource;

/** The application as a guest, a program and Prometheus see it. */
@SpringBootTest(webEnvironment = WebEnvironment.RANDOM_PORT)
@DirtiesContext
class DiskApplicationTest {
    private static final int DISK_BYTES = 1 << 20;
    private static final int SECTOR = 512;

    @TempDir
    static Path directory = Path.of("/");

    private final BlockDevice device;
    private final int port;

    DiskApplicationTest(@Autowired BlockDevice device, @LocalServerPort int port) {
        this.device = device;
        this.port = port;
    }

    @DynamicPropertySource
    static void disk(DynamicPropertyRegistry properties) throws IOException {
        Path image = directory.resolve("disk.img");
        try (RandomAccessFile file = new RandomAccessFile(image.toFile(), "rw")) {
            file.setLength(DISK_BYTES);
        }
        properties.add("sluice.disk.image", image::toString);
        properties.add("sluice.disk.socket", () -> directory.resolve("disk.sock").toString());
    }

    @Test
    void shouldReadInTheApplicationWhatAGuestHasWritten() throws Exception {
        try (Arena arena = Arena.ofConfined();
                BlockDriver guest = BlockDriver.open(directory.resolve("disk.sock").toString(), BlockDriverOptions.defaults().withQueues(2))) {
            MemorySegment written = arena.allocate(4096, 4096).fill((byte) 7);
            BlockingDisk disk = guest.disk(1);
            disk.write(8L * SECTOR, written);
            disk.flush();
        }
        ByteBuffer read = ByteBuffer.allocateDirect(4096);
        assertThat(device.read(8L * SECTOR, read).block()).isEqualTo(4096);
        assertThat(MemorySegment.ofBuffer(read.flip()).toArray(ValueLayout.JAVA_BYTE)).containsOnly(7);
        assertThat(get("/sectors/8").body()).hasSize(SECTOR).containsOnly(7);

        String scrape = new String(get("/actuator/prometheus").body(), StandardCharsets.UTF_8);
        assertThat(figure(scrape, "sluice_request_bytes_total", "op=\"write\"")).isEqualTo(4096);
        assertThat(figure(scrape, "sluice_request_bytes_total", "op=\"read\"")).isEqualTo(4096 + SECTOR);
    }

    private HttpResponse<byte[]> get(String path) throws IOException, InterruptedException {
        try (HttpClient client = HttpClient.newHttpClient()) {
            HttpRequest request = HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + port + path)).build();
            HttpResponse<byte[]> response = client.send(request, HttpResponse.BodyHandlers.ofByteArray());
            assertThat(response.statusCode()).as(path).isEqualTo(200);
            return response;
        }
    }

    /** The sum over the queues. */
    private static double figure(String scrape, String meter, String label) {
        return scrape.lines()
                .filter(line -> line.startsWith(meter + "{") && line.contains(label))
                .mapToDouble(line -> Double.parseDouble(line.substring(line.lastIndexOf(' '))))
                .sum();
    }
}
