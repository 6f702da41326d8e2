package dev.sluice.bench.matrix;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.sluice.bench.guest.Guest;
import dev.sluice.bench.guest.GuestResult;
import dev.sluice.bench.guest.GuestScript;
import dev.sluice.bench.guest.GuestSpec;
import dev.sluice.bench.guest.GuestTools;
import dev.sluice.bench.load.BackendStats;
import dev.sluice.server.cli.BackendProcess;
import java.io.IOException;
import java.time.Duration;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalDouble;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.Collectors;

/**
 * One guest that runs the original's fio script once for each number of jobs, and the results of the guest and its backend.
 *
 * <p><b>Threading:</b> {@link #run} on one thread; the console's thread records the backend's counters when each job starts and ends.
 */
final class GuestRun {
    private static final Duration TIME_LIMIT = Duration.ofMinutes(5);
    private static final String BEGIN = "FIO-BEGIN ";
    private static final String END = "FIO-END ";
    private static final String RESULT_END = "FIO-RESULT-END ";

    /** The backend between two moments. */
    private record Mark(OptionalDouble cpuSeconds, BackendStats.Sample stats) {}

    private final BackendProcess backend;
    private final BackendStats stats;
    private final Map<String, Mark> begun = new ConcurrentHashMap<>();
    private final Map<String, Sample> ended = new ConcurrentHashMap<>();

    GuestRun(BackendProcess backend, BackendStats stats) {
        this.backend = backend;
        this.stats = stats;
    }

    /** What this machine lacks for a guest, with the remedy, in one line; empty if nothing is missing. */
    static String missing() {
        List<String> missing = GuestTools.find().missing();
        return missing.isEmpty() ? "" : "no guest here: missing " + String.join(", ", missing) + "; './sluice demo --guest' lists what to install";
    }

    /**
     * Boots the guest and waits until it has finished all runs.
     *
     * @return the result for each number of jobs
     */
    Map<Integer, Sample> run(RunningBackend served, List<GuestFio> loads, double seconds) throws IOException, InterruptedException {
        String list = loads.stream().map(load -> Integer.toString(load.jobs())).collect(Collectors.joining(" "));
        GuestScript script = GuestScript.resource(GuestRun.class, "original-fio.sh")
                .with("JOBS_LIST", list)
                .with("RUN_SECONDS", (int) Math.ceil(seconds));
        GuestSpec spec = new GuestSpec(served.socket(), GuestFio.QUEUES, script, TIME_LIMIT);
        GuestResult result;
        try (Guest guest = Guest.boot(GuestTools.find(), spec, this::heard)) {
            result = guest.await();
        }
        if (result.exitStatus() != 0) {
            throw new IOException("the guest's script exited with " + result.exitStatus() + ": "
                    + result.output().lines().reduce((first, last) -> last).orElse(""));
        }
        Map<Integer, Sample> samples = new TreeMap<>();
        for (GuestFio load : loads) {
            samples.put(load.jobs(), sample(result.output(), Integer.toString(load.jobs())));
        }
        return samples;
    }

    /** Handles a line of the console as it arrives: the backend's counters are read now. */
    private void heard(String line) {
        if (line.startsWith(BEGIN)) {
            begun.put(line.substring(BEGIN.length()).strip(), new Mark(backend.cpuSeconds(), stats.sample()));
        } else if (line.startsWith(END)) {
            String jobs = line.substring(END.length()).strip();
            Mark begin = begun.get(jobs);
            if (begin != null) {
                ended.put(jobs, used(begin));
            }
        }
    }

    /** CPU of the whole run here, not yet per request: the number of requests is only known from the guest's result. */
    private Sample used(Mark begin) {
        Map<Metric, Double> figures = new EnumMap<>(Metric.class);
        OptionalDouble now = backend.cpuSeconds();
        if (begin.cpuSeconds().isPresent() && now.isPresent()) {
            figures.put(Metric.CPU_MICROS, (now.getAsDouble() - begin.cpuSeconds().getAsDouble()) * 1e6);
        }
        BackendStats.Window window = stats.since(begin.stats());
        putIfKnown(figures, Metric.HEAP_BYTES, window.heapBytes());
        putIfKnown(figures, Metric.KICKS, window.kicks());
        putIfKnown(figures, Metric.CALLS, window.calls());
        putIfKnown(figures, Metric.ENTERS, window.enters());
        return new Sample(figures);
    }

    private static void putIfKnown(Map<Metric, Double> figures, Metric metric, OptionalDouble value) {
        if (value.isPresent()) {
            figures.put(metric, value.getAsDouble());
        }
    }

    private Sample sample(String output, String jobs) throws IOException {
        int from = output.indexOf('{', Math.max(0, output.indexOf(END + jobs + "\n")));
        int to = output.indexOf(RESULT_END + jobs);
        if (from < 0 || to < from) {
            throw new IOException("the guest's fio showed no result for JOBS=" + jobs);
        }
        Sample backendFigures = ended.get(jobs);
        return merge(new ObjectMapper().readTree(output.substring(from, to)), backendFigures == null ? new Sample(Map.of()) : backendFigures);
    }

    /** fio's figures, and the backend's cost. */
    static Sample merge(JsonNode fio, Sample backendFigures) throws IOException {
        JsonNode read = fio.path("jobs").path(0).path("read");
        double requests = read.path("total_ios").asDouble();
        if (!(requests > 0)) {
            throw new IOException("the guest's fio has read nothing");
        }
        Map<Metric, Double> figures = new EnumMap<>(Metric.class);
        figures.putAll(backendFigures.figures());
        Double cpuMicros = figures.remove(Metric.CPU_MICROS);
        if (cpuMicros != null && cpuMicros > 0) {
            figures.put(Metric.CPU_MICROS, cpuMicros / requests);
            figures.put(Metric.PER_CPU_SECOND, requests * 1e6 / cpuMicros);
        }
        figures.put(Metric.IOPS, read.path("iops").asDouble());
        JsonNode nanos = read.path("clat_ns").path("percentile");
        figures.put(Metric.P50, nanos.path("50.000000").asDouble() / 1e3);
        figures.put(Metric.P99, nanos.path("99.000000").asDouble() / 1e3);
        figures.put(Metric.P999, nanos.path("99.900000").asDouble() / 1e3);
        return new Sample(figures);
    }
}
