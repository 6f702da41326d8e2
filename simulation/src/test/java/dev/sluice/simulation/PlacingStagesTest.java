package dev.sluice.simulation;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.util.stream.LongStream;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * The simulation with a stage that keeps the guest's data in its own way: changed by a key behind a header, through buffers of its own, or twice. What
 * must hold for the guest is the same; what the file has to hold for it is the stage's. Five seeds that are always run and two that nobody has seen,
 * for each; {@code -Dsimulation.seed} and {@code -Dsimulation.fresh} as for {@link SimulationTest}.
 */
class PlacingStagesTest {
    private static final int FRESH = 2;

    private static Stream<Arguments> both(LongStream seeds) {
        return seeds.boxed().flatMap(seed -> Stream.of(Arguments.of(Placement.XORED, seed), Arguments.of(Placement.MIRRORED, seed)));
    }

    static Stream<Arguments> fixedSeeds() {
        return both(LongStream.rangeClosed(1, 5));
    }

    static Stream<Arguments> freshSeeds() {
        long from = Long.getLong("simulation.seed", System.currentTimeMillis());
        return both(LongStream.range(from, from + Integer.getInteger("simulation.fresh", FRESH)));
    }

    @ParameterizedTest
    @MethodSource("fixedSeeds")
    void shouldKeepItsPromisesUnderAFixedSeed(Placement placement, long seed) throws IOException {
        long _ = SimulationRun.run(seed, placement, SimulationTest.STEPS);
    }

    @ParameterizedTest
    @MethodSource("freshSeeds")
    void shouldKeepItsPromisesUnderAFreshSeed(Placement placement, long seed) throws IOException {
        long _ = SimulationRun.run(seed, placement, SimulationTest.STEPS);
    }

    @ParameterizedTest
    @EnumSource(mode = EnumSource.Mode.EXCLUDE, names = "PLAIN")
    void shouldReplayASeedExactly(Placement placement) throws IOException {
        assertThat(SimulationRun.run(3, placement, SimulationTest.STEPS)).isEqualTo(SimulationRun.run(3, placement, SimulationTest.STEPS));
    }
}
