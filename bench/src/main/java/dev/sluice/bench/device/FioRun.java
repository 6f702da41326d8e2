package dev.sluice.bench.device;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.function.UnaryOperator;

/** One run of fio on a file, for comparisons with what serves it. */
public final class FioRun {
    private FioRun() {}

    /**
     * What it measured.
     *
     * @param iops requests per second
     * @param cpuMicros user and system time of its job per request
     */
    public record Figures(double iops, double cpuMicros) {}

    /**
     * Random requests with O_DIRECT on the whole file.
     *
     * @param engine libaio or io_uring
     * @param launcher of the command: what the command becomes
     */
    public static Figures run(
            String engine, Path file, int depth, int blockBytes, boolean writes, double warmUpSeconds, double seconds, UnaryOperator<List<String>> launcher)
            throws IOException, InterruptedException {
        DevicePlan plan = new DevicePlan(file, true, depth, blockBytes, writes ? 0 : 100, false, warmUpSeconds, seconds, 1);
        DeviceFigures figures = new FioCandidate(engine, launcher).run(plan);
        if (figures.errors() != 0) {
            throw new IOException("fio: " + figures.errors() + " requests failed");
        }
        return new Figures(figures.iops(), figures.cpuMicros());
    }
}
