package dev.sluice.bench.device;

import dev.sluice.pipeline.Providers;
import java.io.IOException;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;

/**
 * Candidates on one device, round-robin: each round runs all of them once, so that temporary load on the machine affects all.
 *
 * <p><b>Threading:</b> one thread. <b>Failure:</b> {@link IOException} if one of them cannot run; those that are not installed are left out and reported.
 */
public final class DeviceBench {
    private final DevicePlan plan;
    private final int rounds;
    private final List<Candidate> candidates;
    private final Consumer<String> progress;

    private DeviceBench(DevicePlan plan, int rounds, List<Candidate> candidates, Consumer<String> progress) {
        this.plan = plan;
        this.rounds = rounds;
        this.candidates = candidates;
        this.progress = progress;
    }

    /**
     * A single candidate of Sluice.
     *
     * @param api BlockDevice instead of the bare sink
     */
    public static DeviceBench of(DevicePlan plan, int rounds, String backend, String loop, boolean api, Consumer<String> progress) throws IOException {
        Providers.Choice choice = Providers.choose(backend, loop);
        return new DeviceBench(plan, rounds, List.of(api ? new ApiCandidate(choice) : new SinkCandidate(choice)), progress);
    }

    /** Every candidate of Sluice that works on this machine and matches the options, with fio's engines and the JDK's ways. */
    public static DeviceBench withPeers(DevicePlan plan, int rounds, String backend, String loop, Consumer<String> progress) throws IOException {
        List<Candidate> candidates = new ArrayList<>();
        List<Candidate> api = new ArrayList<>();
        List<String> backends = backend.equals(Providers.AUTO) ? List.of("io_uring", "linux-aio", "nio") : List.of(backend);
        for (String name : backends) {
            try {
                Providers.Choice choice = Providers.choose(name, loop);
                candidates.add(new SinkCandidate(choice));
                api.add(new ApiCandidate(choice));
            } catch (IOException unavailable) {
                progress.accept("left out: " + unavailable.getMessage());
            }
        }
        candidates.addAll(api);
        if (FioCandidate.installed()) {
            candidates.add(new FioCandidate("io_uring"));
            candidates.add(new FioCandidate("libaio"));
        } else {
            progress.accept("left out: fio is not installed ('apt-get install fio')");
        }
        candidates.add(new AsyncFileCandidate());
        candidates.add(new VirtualThreadsCandidate());
        return new DeviceBench(plan, rounds, candidates, progress);
    }

    /** Runs all rounds. */
    public DeviceReport run() throws IOException, InterruptedException {
        Map<String, List<DeviceFigures>> figures = new LinkedHashMap<>();
        for (int round = 1; round <= rounds; round++) {
            for (Candidate candidate : candidates) {
                progress.accept("round " + round + " of " + rounds + ": " + candidate.name());
                figures.computeIfAbsent(candidate.name(), name -> new ArrayList<>()).add(candidate.run(plan));
            }
        }
        String where = plan.path() + " (" + Files.getFileStore(plan.path()).type() + ")";
        return new DeviceReport(plan, where, figures);
    }
}
