package dev.sluice.bench;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.sluice.server.SluiceProcess;
import dev.sluice.server.SparseFile;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** {@code sluice demo}, and {@code sluice bench} on a disk that {@code sluice serve} serves. */
class DemoIT {
    @TempDir
    Path directory;

    @Test
    void shouldMeasureAndVerifyWithBench() throws Exception {
        Path image = directory.resolve("disk.img");
        Path socket = directory.resolve("disk.sock");
        SparseFile.create(image, 8 << 20);
        Path stats = directory.resolve("stats.json");
        Path json = directory.resolve("bench.json");
        try (SluiceProcess serve = SluiceProcess.serve("--socket-path", socket, "--blk-file", image, "--num-queues", 2, "--stats", stats)) {
            SluiceProcess.Ended ended = SluiceProcess.run("bench", socket, "--queues", 2, "--jobs", 2, "--depth", 16, "--rw", "randrw", "--verify",
                    "--warm-up", 1, "--seconds", 2.5, "--stats", stats, "--json", json);
            assertThat(ended.status()).as(ended.err()).isZero();
            assertThat(ended.out()).contains("queue 0", "queue 1", "all", "p99.9 us", "us CPU per request", ", 0 wrong");
            assertThat(serve.isAlive()).isTrue();
        }
        JsonNode figures = new ObjectMapper().readTree(json.toFile());
        assertThat(figures.get("iops").asDouble()).isPositive();
        assertThat(figures.get("backendCpuMicrosPerRequest").asDouble()).isPositive();
        assertThat(figures.get("entersPerRequest").asDouble()).isBetween(0.001, 3.0);
        assertThat(figures.get("verifiedBlocks").asLong()).isPositive();
        assertThat(figures.get("wrongBlocks").asLong()).isZero();
    }

    @Test
    void shouldRunTheDemo() throws Exception {
        SluiceProcess.Ended ended = SluiceProcess.run("demo", "--seconds", 0.5);
        assertThat(ended.status()).as(ended.err()).isZero();
        assertThat(ended.out()).contains("ready", "queue 3", "us CPU per request", ", 0 wrong", "drained");
    }
}
