package dev.sluice.bench.device;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.sluice.pipeline.Providers;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Short loads on a small file: each candidate does its work without an error, and every figure is there. */
class DeviceBenchTest {
    private static final int SIZE = 8 << 20;

    private Path file = Path.of("not made yet");

    @BeforeEach
    void makeFile() throws IOException {
        file = Files.createTempFile(Path.of("target"), "sluice-bench", ".raw");
        try (RandomAccessFile made = new RandomAccessFile(file.toFile(), "rw")) {
            made.setLength(SIZE);
        }
    }

    @AfterEach
    void deleteFile() throws IOException {
        Files.delete(file);
    }

    private DevicePlan plan(int readPercent, boolean sequential) {
        return new DevicePlan(file, true, 8, 4096, readPercent, sequential, 0.1, 0.3, 1);
    }

    private static void assertComplete(DeviceReport report) {
        assertThat(report.errors()).isZero();
        report.rounds().forEach((name, rounds) -> assertThat(rounds).as(name).allSatisfy(round -> {
            assertThat(round.requests()).isPositive();
            assertThat(round.iops()).isPositive();
            assertThat(round.cpuMicros()).isNotNegative();
            assertThat(round.p50Micros()).isPositive().isLessThanOrEqualTo(round.p99Micros());
            assertThat(round.p99Micros()).isLessThanOrEqualTo(round.p999Micros());
        }));
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void shouldLoadASinkOrBlockDevice(boolean api) throws Exception {
        DeviceReport report = DeviceBench.of(plan(50, false), 2, "nio", Providers.AUTO, api, line -> {}).run();
        assertComplete(report);
        assertThat(report.rounds().values()).singleElement().satisfies(rounds -> assertThat(rounds).hasSize(2));
        assertThat(report.table()).contains(api ? "BlockDevice nio" : "sink nio", "O_DIRECT", "50 % reads");
    }

    @Test
    void shouldRunEveryCandidateRoundRobin() throws Exception {
        List<String> progress = new ArrayList<>();
        DeviceReport report = DeviceBench.withPeers(plan(100, true), 1, Providers.AUTO, Providers.AUTO, progress::add).run();
        assertComplete(report);
        assertThat(report.rounds()).containsKeys("AsynchronousFileChannel", "virtual threads on FileChannel");
        assertThat(report.rounds().keySet()).anyMatch(name -> name.startsWith("sink nio")).anyMatch(name -> name.startsWith("BlockDevice nio"));
        assertThat(report.rounds().containsKey("fio io_uring")).isEqualTo(FioCandidate.installed());
        JsonNode json = new ObjectMapper().readTree(report.json().toString());
        assertThat(json.path("candidates")).hasSize(report.rounds().size());
        for (JsonNode candidate : json.path("candidates")) {
            assertThat(candidate.path("iops").path("median").asDouble()).as(candidate.path("name").asText()).isPositive();
            assertThat(candidate.path("rounds")).hasSize(1);
        }
    }

    @Test
    void shouldKnowWhatFioSays() throws IOException {
        DeviceFigures figures = FioCandidate.figures(new ObjectMapper().readTree(
                """
                {"read": {"total_ios": 100000, "runtime": 2000, "clat_ns": {"percentile": {"50.000000": 400000, "99.000000": 900000, "99.900000": 2000000}}},
                 "write": {"total_ios": 0, "runtime": 0}, "usr_cpu": 4.0, "sys_cpu": 11.0, "total_err": 0}
                """));
        assertThat(figures.iops()).isEqualTo(50_000);
        assertThat(figures.cpuMicros()).isEqualTo(3.0);
        assertThat(figures.p50Micros()).isEqualTo(400);
        assertThat(figures.p999Micros()).isEqualTo(2000);
    }

    @Test
    void shouldSayWhereTheFileIsTooSmall() {
        DevicePlan deep = new DevicePlan(file, true, 4096, 4096, 100, false, 0, 0.1, 1);
        assertThatThrownBy(() -> DeviceBench.of(deep, 1, "nio", Providers.AUTO, false, line -> {}).run())
                .isInstanceOf(IOException.class)
                .hasMessageContaining("less than the depth");
    }
}
