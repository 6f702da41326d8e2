package dev.sluice.bench;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.ObjectMapper;
import dev.sluice.server.SluiceProcess;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What the bare sinks allocate a request once compiled, with reads and writes mixed, in a process of their own. */
class SinkAllocationIT {
    private static final int SIZE = 64 << 20;

    /** The smallest object has 16 bytes: less is less than one a request. What is left is the bench's and the compiler's. */
    private static final double MOST_BYTES = 8;

    private static final int TRIES = 3;

    private Path image = Path.of("not made yet");

    private void makeImage(String directory) throws Exception {
        image = Files.createTempFile(Path.of(directory), "sluice-allocation", ".raw");
        try (RandomAccessFile file = new RandomAccessFile(image.toFile(), "rw")) {
            file.setLength(SIZE);
        }
    }

    @AfterEach
    void deleteImage() throws Exception {
        Files.delete(image);
    }

    @ParameterizedTest
    @CsvSource({"io_uring,io_uring,target", "linux-aio,epoll,target", "mapped,epoll,/dev/shm"})
    void shouldAllocateNothingARequest(String backend, String loop, String directory) throws Exception {
        makeImage(directory);
        double bytes = Double.MAX_VALUE;
        // A busy machine compiles late.
        for (int i = 0; i < TRIES && bytes > MOST_BYTES; i++) {
            Path json = Files.createTempFile(Path.of("target"), "sluice-allocation", ".json");
            SluiceProcess.Ended ended = SluiceProcess.run(
                    "bench", "--device", image, "--backend", backend, "--loop", loop, "--rw", "randrw", "--warm-up", 3, "--seconds", 2, "--json", json);
            assertThat(ended.status()).as(ended.err()).isZero();
            bytes = new ObjectMapper().readTree(json.toFile()).path("candidates").path(0).path("heapBytesPerRequest").path("median").asDouble(Double.MAX_VALUE);
            Files.delete(json);
        }
        assertThat(bytes).as("heap bytes per request, %s", backend).isLessThanOrEqualTo(MOST_BYTES);
    }
}
