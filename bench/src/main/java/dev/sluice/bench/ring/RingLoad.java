package dev.sluice.bench.ring;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/**
 * Runs the load in C.
 *
 * <p><b>Threading:</b> one thread, blocked for the load's duration. <b>Failure:</b> an {@code IOException} with the load's own words.
 */
public final class RingLoad {
    private final PlacedCpus placed;

    public RingLoad(PlacedCpus placed) {
        this.placed = placed;
    }

    /**
     * Loads disks and measures.
     *
     * @param sockets of the disks, as many as the plan has
     * @param backendPid the process whose CPU time is measured
     */
    public RingFigures run(RingLoadPlan plan, List<Path> sockets, long backendPid, double warmUpSeconds, double seconds)
            throws IOException, InterruptedException {
        Process process = new ProcessBuilder(command(plan, sockets, backendPid, warmUpSeconds, seconds)).redirectErrorStream(true).start();
        try {
            process.getOutputStream().close();
            String words = new String(process.getInputStream().readAllBytes(), UTF_8).strip();
            int status = process.waitFor();
            // Failed requests are in its figures.
            if (status != 0 && !words.startsWith("{")) {
                throw new IOException(words.isEmpty() ? "the load exited with " + status : words);
            }
            return RingFigures.parse(words);
        } finally {
            process.destroyForcibly();
        }
    }

    List<String> command(RingLoadPlan plan, List<Path> sockets, long backendPid, double warmUpSeconds, double seconds) {
        if (sockets.size() != plan.disks()) {
            throw new IllegalArgumentException(sockets.size() + " sockets for " + plan.disks() + " disks");
        }
        List<String> command = new ArrayList<>(List.of(placed.programs().ringLoad().toString()));
        sockets.forEach(socket -> command.add(socket.toString()));
        command.addAll(plan.options());
        command.addAll(List.of(
                "--cpu", Integer.toString(placed.cpus().load()), "--pid", Long.toString(backendPid),
                "--warmup", String.format(Locale.ROOT, "%.3f", warmUpSeconds), "--seconds", String.format(Locale.ROOT, "%.3f", seconds)));
        return command;
    }
}
