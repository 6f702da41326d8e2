package dev.sluice.bench;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.sluice.bench.ring.CPrograms;
import dev.sluice.server.SluiceProcess;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** {@code sluice bench --matrix} end to end, as small as it goes. */
class MatrixIT {
    private static final Duration LIMIT = Duration.ofSeconds(60);
    private static final String THREE_ROWS = "Ablation: null sink, 1 job / (baseline|\\+ pool|\\+ bypass)$";

    @TempDir
    Path directory;

    @Test
    void shouldMeasureRowsAndWriteTableFiguresAndPlot() throws Exception {
        Path out = directory.resolve("out");
        SluiceProcess.Ended ended = run("--matrix", "ablation", "--rows", THREE_ROWS, "--rounds", 1, "--seconds", 1, "--warm-up", 0.5, "--out", out);
        assertThat(ended.status()).as(ended.out() + ended.err()).isZero();
        assertThat(ended.out()).contains("3 rows, 1 round of 1.0 s", "left", "| baseline |", "| + bypass |");
        assertThat(file(out, ".md")).contains("### Ablation: null sink, 1 job", "| kernel |",
                "SLUICE_JAVA_OPTS=-Ddev.sluice.ablation=pool,batch ./sluice serve");
        assertThat(file(out, ".svg")).startsWith("<svg").contains("baseline");
        JsonNode rows = new ObjectMapper().readTree(file(out, ".json")).at("/experiments/0/rows");
        assertThat(rows).hasSize(3);
        for (JsonNode row : rows) {
            assertThat(row.has("failures")).as(row.toPrettyString()).isFalse();
            for (String figure : List.of("iops", "backendCpuMicrosPerRequest", "p50Micros", "p99Micros", "p999Micros")) {
                assertThat(row.at("/figures/" + figure + "/median").asDouble()).as(figure + " in " + row.toPrettyString()).isPositive();
            }
            // A backend that never sleeps sees no kicks: these may be zero, but they are known.
            for (String figure : List.of("heapBytesPerRequest", "kicksPerRequest", "callsPerRequest")) {
                assertThat(row.at("/figures/" + figure + "/median").isNumber()).as(figure + " in " + row.toPrettyString()).isTrue();
            }
        }
        // What each row leaves out is seen in its figures.
        assertThat(median(rows, 0, "heapBytesPerRequest")).as("without a pool").isGreaterThan(median(rows, 1, "heapBytesPerRequest") + 50);
        assertThat(median(rows, 1, "heapBytesPerRequest")).as("without the bypass").isGreaterThan(median(rows, 2, "heapBytesPerRequest") + 50);
        assertThat(median(rows, 1, "callsPerRequest")).as("without batches").isGreaterThan(2 * median(rows, 2, "callsPerRequest"));
        assertThat(leftovers()).isEmpty();
    }

    /** Whatever the placement: the machine of a build is busy, so that figures may be shown without being compared. */
    @Test
    void shouldCalibrateWhatItPinsAndPutTheFloorBesideIt() throws Exception {
        assumeTrue(CPrograms.missing().isEmpty(), CPrograms.missing());
        assumeTrue(Runtime.getRuntime().availableProcessors() > 1, "a load and a backend need a CPU each");
        Path out = directory.resolve("out");
        SluiceProcess.Ended ended = run(
                "--matrix", "--rows", "Ring, polling: null sink, 4 KiB reads, 1 queue, depth 64 / (floor|sluice|SPDK)", "--rounds", 1, "--seconds", 0.5,
                "--warm-up",
                0.1, "--out", out);
        assertThat(ended.status()).as(ended.out() + ended.err()).isZero();
        assertThat(ended.out()).contains("SPDK, poll: name a build of SPDK with --spdk DIR", "CPUs apart, ns", "| floor, poll");
        assertThat(file(out, ".md")).contains("PROGRAMS/floor SOCKET poll 1", "PROGRAMS/ring-load SOCKET --queues 1 --depth 64 --size 4096 --type read");
        int floors = 0;
        int sluices = 0;
        for (JsonNode table : new ObjectMapper().readTree(file(out, ".json")).at("/experiments")) {
            for (JsonNode row : table.get("rows")) {
                assertThat(row.has("failures")).as(row.toPrettyString()).isFalse();
                for (JsonNode round : row.path("rounds")) {
                    assertThat(round.path("placement").asText()).isIn("near", "far", "between");
                    assertThat(round.path("roundTripNanosBefore").asDouble()).as(round.toPrettyString()).isPositive();
                    assertThat(round.path("roundTripNanosAfter").asDouble()).as(round.toPrettyString()).isPositive();
                    assertThat(round.path("iops").asDouble()).as(round.toPrettyString()).isPositive();
                    assertThat(round.path("backendCpuMicrosPerRequest").asDouble()).as(round.toPrettyString()).isPositive();
                    floors += row.path("name").asText().startsWith("floor") ? 1 : 0;
                    sluices += row.path("name").asText().startsWith("sluice") ? 1 : 0;
                }
            }
        }
        assertThat(floors).isEqualTo(1);
        assertThat(sluices).isEqualTo(1);
        assertThat(leftovers()).isEmpty();
    }

    private static double median(JsonNode rows, int row, String figure) {
        return rows.get(row).at("/figures/" + figure + "/median").asDouble();
    }

    @Test
    void shouldGoOnAfterARowThatFailsAndEndWithOne() throws Exception {
        Path out = directory.resolve("out");
        Path missing = directory.resolve("missing");
        SluiceProcess.Ended ended = run(
                "--matrix", "ablation", "--rows", "Ablation: (null sink|RAM-backed file), 1 job / \\+ bypass$", "--rounds", 1, "--seconds", 1, "--warm-up", 0.5,
                "--ram-dir", missing, "--out", out);
        assertThat(ended.status()).as(ended.out() + ended.err()).isEqualTo(1);
        assertThat(ended.err()).contains("rows of the matrix failed");
        JsonNode tables = new ObjectMapper().readTree(file(out, ".json")).get("experiments");
        assertThat(tables.at("/0/rows/0/figures/iops/median").asDouble()).isPositive();
        assertThat(tables.at("/1/rows/0/failures/0").asText()).contains(missing.toString(), "--ram-dir");
        assertThat(file(out, ".md")).contains("+ bypass - **failed**: no image for the RAM-backed file");
        assertThat(leftovers()).isEmpty();
    }

    @Test
    void shouldLeaveNoProcessAndNoFileWhenASignalEndsIt() throws Exception {
        try (SluiceProcess matrix = start("--matrix", "ablation", "--rows", THREE_ROWS, "--seconds", 600, "--out", directory.resolve("out"))) {
            ProcessHandle handle = ProcessHandle.of(matrix.pid()).orElseThrow();
            await("a backend's socket", () -> sockets() > 0);
            ProcessHandle backend = handle.children().findAny().orElseThrow();
            // Not SIGINT, which a build in the background may have been started to ignore; the JVM takes both alike.
            SluiceProcess.Ended _ = matrix.terminate();
            await("the backend's end", () -> !backend.isAlive());
        }
        assertThat(leftovers()).isEmpty();
    }

    @Test
    void shouldRefuseWhatDoesNotGoTogether() throws Exception {
        SluiceProcess.Ended depth = run("--matrix", "ablation", "--depth", 4);
        assertThat(depth.status()).isEqualTo(2);
        assertThat(depth.err()).contains("--depth does not apply to --matrix");
        SluiceProcess.Ended section = run("--matrix", "speed");
        assertThat(section.status()).isEqualTo(2);
        assertThat(section.err()).contains("'speed'", "placed, ablation, peers, scaling");
        SluiceProcess.Ended cpus = run("--matrix", "placed", "--cpus", "1,1");
        assertThat(cpus.status()).isEqualTo(2);
        assertThat(cpus.err()).contains("1,1 are not two different CPUs");
    }

    private SluiceProcess start(Object... arguments) throws IOException {
        Object[] all = new Object[arguments.length + 1];
        all[0] = "bench";
        System.arraycopy(arguments, 0, all, 1, arguments.length);
        return SluiceProcess.startWith(
                List.of("--enable-native-access=ALL-UNNAMED", "--sun-misc-unsafe-memory-access=allow", "-Djava.io.tmpdir=" + directory), all);
    }

    private SluiceProcess.Ended run(Object... arguments) throws Exception {
        try (SluiceProcess process = start(arguments)) {
            return process.await();
        }
    }

    private long sockets() {
        try (Stream<Path> files = Files.walk(directory)) {
            return files.filter(file -> file.endsWith("disk.sock")).count();
        } catch (IOException | UncheckedIOException changing) {
            return 0;
        }
    }

    private List<String> leftovers() throws IOException {
        try (Stream<Path> files = Files.list(directory)) {
            return files.map(file -> file.getFileName().toString()).filter(name -> name.startsWith("sluice-")).toList();
        }
    }

    private static String file(Path out, String ending) throws IOException {
        try (Stream<Path> files = Files.list(out)) {
            List<Path> found = files.filter(file -> file.toString().endsWith(ending)).toList();
            assertThat(found).as(ending).hasSize(1);
            return Files.readString(found.getFirst());
        }
    }

    private static void await(String what, BooleanSupplier condition) {
        long start = System.nanoTime();
        while (!condition.getAsBoolean()) {
            assertThat(System.nanoTime() - start).as("nanoseconds waited for " + what).isLessThan(LIMIT.toNanos());
            LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(20));
        }
    }
}
