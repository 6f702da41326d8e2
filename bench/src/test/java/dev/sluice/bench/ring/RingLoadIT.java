package dev.sluice.bench.ring;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The programs in C, compiled here: requests flow from the load to the floor. */
class RingLoadIT {
    private static final Duration LIMIT = Duration.ofSeconds(20);

    @TempDir
    Path directory;

    private PlacedCpus placed = new PlacedCpus(new CPrograms(Path.of("not compiled yet")), new CpuPair(0, 1));

    @BeforeEach
    void compile() throws Exception {
        assumeTrue(CPrograms.missing().isEmpty(), CPrograms.missing());
        assumeTrue(Runtime.getRuntime().availableProcessors() > 1, "a load and a back end need a CPU each");
        placed = new PlacedCpus(CPrograms.compile(directory), CpuPair.firstAllowed());
    }

    @ParameterizedTest
    @CsvSource({"poll, 1, 64", "poll, 4, 16", "sleep, 1, 64", "sleep, 4, 1"})
    void shouldDriveTheFloor(String wait, int queues, int depth) throws Exception {
        Path socket = directory.resolve("floor.sock");
        Process floor = start(socket, wait, queues);
        try {
            for (boolean writes : new boolean[] {false, true}) {
                RingFigures figures = load(new RingLoadPlan(1, queues, depth, 4096, writes, writes), List.of(socket), floor);
                assertThat(figures.requestsPerSecond()).isPositive();
                assertThat(figures.backendCpuMicros()).isPositive();
                // The load polls, and never interrupts a floor that polls after it was connected.
                assertThat(figures.callsPerRequest()).isZero();
                assertThat(figures.loadCpuShare()).isBetween(0.0, 1.1);
            }
            assertThat(floor.isAlive()).isTrue();
        } finally {
            int _ = floor.destroyForcibly().waitFor();
        }
    }

    @Test
    void shouldDriveSeveralDisksRoundRobin() throws Exception {
        List<Path> sockets = List.of(directory.resolve("a.sock"), directory.resolve("b.sock"));
        Process first = start(sockets.getFirst(), "poll", 2);
        Process second = start(sockets.getLast(), "poll", 2);
        try {
            assertThat(load(new RingLoadPlan(2, 2, 8, 512, false, false), sockets, first).requests()).isPositive();
        } finally {
            int _ = first.destroyForcibly().waitFor();
            int _ = second.destroyForcibly().waitFor();
        }
    }

    @Test
    void shouldFailWithTheReasonWhereThereIsNoBackEndOrTooFewQueues() throws Exception {
        Path socket = directory.resolve("floor.sock");
        RingLoadPlan plan = new RingLoadPlan(1, 2, 8, 512, false, false);
        Process floor = start(socket, "poll", 1);
        try {
            assertThatThrownBy(() -> load(plan, List.of(socket), floor)).isInstanceOf(IOException.class).hasMessageContaining("1 queues");
            Path absent = directory.resolve("absent.sock");
            assertThatThrownBy(() -> load(plan, List.of(absent), floor)).isInstanceOf(IOException.class).hasMessageContaining("absent.sock");
        } finally {
            int _ = floor.destroyForcibly().waitFor();
        }
    }

    @Test
    void shouldMeasureHowFarTheCpusAre() throws Exception {
        // No hardware has less; a machine so busy that it has more measures nothing.
        assertThat(placed.roundTripNanos()).isBetween(5.0, 1e6);
        PlacedCpus absent = new PlacedCpus(placed.programs(), new CpuPair(0, 1023));
        assertThatThrownBy(absent::roundTripNanos).isInstanceOf(IOException.class).hasMessageContaining("CPU 1023");
    }

    private RingFigures load(RingLoadPlan plan, List<Path> sockets, Process backend) throws IOException, InterruptedException {
        return new RingLoad(placed).run(plan, sockets, backend.pid(), 0.1, 0.5);
    }

    private Process start(Path socket, String wait, int queues) throws IOException, InterruptedException {
        List<String> command = List.of(placed.programs().floor().toString(), socket.toString(), wait, Integer.toString(queues));
        Process floor = new ProcessBuilder(placed.onBackendCpu(command)).inheritIO().start();
        long start = System.nanoTime();
        while (!Files.exists(socket)) {
            assertThat(floor.isAlive()).as("the floor runs").isTrue();
            assertThat(System.nanoTime() - start).as("nanoseconds waited for the floor").isLessThan(LIMIT.toNanos());
            LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(5));
        }
        return floor;
    }
}
