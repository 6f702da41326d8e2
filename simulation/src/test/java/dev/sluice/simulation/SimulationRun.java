package dev.sluice.simulation;

import dev.sluice.linux.LinuxFile;
import java.io.IOException;
import java.nio.file.DirectoryStream;
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
            long _ = run(seed, Placement.PLAIN, steps);
        }
    }

    /** Returns a number that is the same for the same events; throws what happened last if a promise was broken. */
    static long run(long seed, Placement placement, int steps) throws IOException {
        Path directory = Files.createDirectories(Path.of("target"));
        int before = openDescriptors();
        Simulation simulation = new Simulation(seed, placement, directory);
        try (simulation) {
            simulation.run(steps);
            simulation.end();
        } catch (Throwable failed) {
            throw new AssertionError(
                    simulation + ", " + steps + " steps\nfailed at step " + simulation.trace().steps() + ": " + failed.getMessage() + "\nwhat happened last:\n"
                            + simulation.trace().text(),
                    failed);
        }
        int left = openDescriptors() - before;
        if (left > 0) {
            throw new AssertionError(simulation + ": " + left + " descriptors are still open at the end");
        }
        return simulation.trace().hash();
    }

    /** Sockets, eventfds, memory files and images: not the jars that the JVM opens as it goes. */
    private static int openDescriptors() throws IOException {
        int open = 0;
        try (DirectoryStream<Path> all = Files.newDirectoryStream(Path.of("/proc/self/fd"))) {
            for (Path descriptor : all) {
                String name = LinuxFile.descriptorName(Integer.parseInt(descriptor.getFileName().toString()));
                if (name.startsWith("anon_inode:") || name.startsWith("socket:") || name.startsWith("/memfd:") || name.endsWith(".img")) {
                    open++;
                }
            }
        }
        return open;
    }
}
