package dev.sluice.simulation;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Ten seeds that are always run, and ten that nobody has seen; one of those that fails is printed and becomes a fixed one with its fix. One seed alone:
 * {@code -Dsimulation.seed=SEED -Dsimulation.fresh=1}, with as many {@code -Dsimulation.steps} as it failed with; {@code -Dsimulation.trace=N} keeps more of what happened.
 */
class SimulationTest {
    static final int STEPS = Integer.getInteger("simulation.steps", 12_000);

    static LongStream fixedSeeds() {
        return LongStream.rangeClosed(1, 10);
    }

    static LongStream freshSeeds() {
        long from = Long.getLong("simulation.seed", System.currentTimeMillis());
        Long seconds = Long.getLong("simulation.seconds");
        if (seconds != null) {
            long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(seconds);
            return LongStream.iterate(from, seed -> seed + 1).takeWhile(_ -> System.nanoTime() - end < 0);
        }
        return LongStream.range(from, from + Integer.getInteger("simulation.fresh", 10));
    }

    @ParameterizedTest
    @MethodSource("fixedSeeds")
    void shouldKeepItsPromisesUnderAFixedSeed(long seed) throws IOException {
        simulate(seed);
    }

    @ParameterizedTest
    @MethodSource("freshSeeds")
    void shouldKeepItsPromisesUnderAFreshSeed(long seed) throws IOException {
        simulate(seed);
    }

    @Test
    void shouldReplayASeedExactly() throws IOException {
        assertThat(simulate(7)).isEqualTo(simulate(7));
    }

    private static long simulate(long seed) throws IOException {
        Path directory = Files.createDirectories(Path.of("target"));
        int before = SimulatedGuest.openDescriptors();
        Simulation simulation = new Simulation(seed, directory);
        try (simulation) {
            simulation.run(STEPS);
            simulation.end();
        } catch (Throwable failed) {
            throw new AssertionError(
                    simulation + ", " + STEPS + " steps\nfailed at step " + simulation.trace().steps() + ": " + failed.getMessage() + "\nwhat happened last:\n"
                            + simulation.trace().text(),
                    failed);
        }
        assertThat(SimulatedGuest.openDescriptors()).as("open descriptors after %s", simulation).isLessThanOrEqualTo(before);
        return simulation.trace().hash();
    }
}
