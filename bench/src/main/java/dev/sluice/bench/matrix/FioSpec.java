package dev.sluice.bench.matrix;

import dev.sluice.bench.ring.ProgramPath;
import java.util.List;

/**
 * fio on the image itself, without a backend or a ring: what the file gives with the least in front of it.
 *
 * @param engine libaio or io_uring
 */
record FioSpec(Medium medium, String engine) implements BackendSpec {
    private static final String PROGRAM = "fio";

    @Override
    public List<String> command(Places places) {
        return List.of(PROGRAM, "--filename=" + places.image(), "--ioengine=" + engine, "--direct=1");
    }

    @Override
    public String display() {
        return String.join(" ", command(Places.WORDS)) + " ... with size, depth and kind of the load";
    }

    @Override
    public String missing(MatrixSettings settings) {
        return ProgramPath.has(PROGRAM) ? "" : PROGRAM + " is not installed (Debian: apt-get install fio)";
    }

    @Override
    public double startAndStopSeconds() {
        return 0.5;
    }
}
