package dev.sluice.examples.device;

import dev.sluice.pipeline.Providers;
import java.io.IOException;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;

/**
 * Contenders on one device, in turns: each round runs all of them once, so that a machine that is busy for a while is busy for all.
 *
 * <p><b>Threading:</b> one thread. <b>Failure:</b> {@link IOException} where one of them cannot run; what is not installed is left out and told.
 */
public final class DeviceBench {
    private final DevicePlan plan;
    private final int rounds;
    private final List<Contender> contenders;
    private final Consumer<String> progress;

    private DeviceBench(DevicePlan plan, int rounds, List<Contender> contenders, Consumer<String> progress) {
        this.plan = plan;
        this.rounds = rounds;
        this.contenders = contenders;
        this.progress = progress;
    }

    /**
     * One way of Sluice's alone.
     *
     * @param api BlockDevice instead of the bare sink
     */
    public static DeviceBench of(DevicePlan plan, int rounds, String backend, String loop, boolean api, Consumer<String> progress) throws IOException {
        Providers.Choice choice = Providers.choose(backend, loop);
        return new DeviceBench(plan, rounds, List.of(api ? new ApiContender(choice) : new SinkContender(choice)), progress);
    }

    /** Every way of Sluice's that works here and fits what was asked for, beside fio's engines and what the JDK has. */
    public static DeviceBench withPeers(DevicePlan plan, int rounds, String backend, String loop, Consumer<String> progress) throws IOException {
        List<Contender> contenders = new ArrayList<>();
        List<Contender> api = new ArrayList<>();
        List<String> backends = backend.equals(Providers.AUTO) ? List.of("io_uring", "linux-aio", "nio") : List.of(backend);
        for (String name : backends) {
            try {
                Providers.Choice choice = Providers.choose(name, loop);
                contenders.add(new SinkContender(choice));
                api.add(new ApiContender(choice));
            } catch (IOException unavailable) {
                progress.accept("left out: " + unavailable.getMessage());
            }
        }
        contenders.addAll(api);
        if (FioContender.installed()) {
            contenders.add(new FioContender("io_uring"));
            contenders.add(new FioContender("libaio"));
        } else {
            progress.accept("left out: fio is not installed ('apt-get install fio')");
        }
        contenders.add(new AsyncFileContender());
        contenders.add(new VirtualThreadsContender());
        return new DeviceBench(plan, rounds, contenders, progress);
    }

    /** Runs all rounds. */
    public DeviceReport run() throws IOException, InterruptedException {
        Map<String, List<DeviceFigures>> figures = new LinkedHashMap<>();
        for (int round = 1; round <= rounds; round++) {
            for (Contender contender : contenders) {
                progress.accept("round " + round + " of " + rounds + ": " + contender.name());
                figures.computeIfAbsent(contender.name(), name -> new ArrayList<>()).add(contender.run(plan));
            }
        }
        String where = plan.path() + " (" + Files.getFileStore(plan.path()).type() + ")";
        return new DeviceReport(plan, where, figures);
    }
}
