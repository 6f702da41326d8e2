package dev.sluice.simulation;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** One seed after another, without a test framework: what {@code .ci/faults --simulation} runs. Arguments: first seed, how many, steps. */
final class SimulationRun {
    private SimulationRun() {}

    public static void main(String[] arguments) throws IOException {
        long first = Long.parseLong(arguments[0]);
        int count = Integer.parseInt(arguments[1]);
        int steps = Integer.parseInt(arguments[2]);
        for (long seed = first; seed < first + count; seed++) {
            long _ = run(seed, steps);
        }
    }

    /** Returns a number that is the same for the same events; throws what happened last if a promise was broken. */
    static long run(long seed, int steps) throws IOException {
        Path directory = Files.createDirectories(Path.of("target"));
        int before = SimulatedGuest.openDescriptors();
        Simulation simulation = new Simulation(seed, directory);
        try (simulation) {
            simulation.run(steps);
            simulation.end();
        } catch (Throwable failed) {
            throw new AssertionError(
                    simulation + ", " + steps + " steps\nfailed at step " + simulation.trace().steps() + ": " + failed.getMessage() + "\nwhat happened last:\n"
                            + simulation.trace().text(),
                    failed);
        }
        int left = SimulatedGuest.openDescriptors() - before;
        if (left > 0) {
            throw new AssertionError(simulation + ": " + left + " descriptors are still open at the end");
        }
        return simulation.trace().hash();
    }
}
