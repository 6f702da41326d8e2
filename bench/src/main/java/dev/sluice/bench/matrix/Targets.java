package dev.sluice.bench.matrix;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/**
 * The targets of Sluice compared with the medians of a matrix. A target whose rows were not measured is left out. One thread.
 */
final class Targets {
    private static final double MILLION = 1e6;
    private static final List<String> LOADS = List.of("1 queue, depth 64, driver sleeping", "4 queues, depth 64, driver sleeping");
    private static final List<String> PEERS = List.of("qemu-storage-daemon native", "qemu-storage-daemon io_uring");

    /**
     * One target.
     *
     * @param shown the figures that were compared
     */
    record Target(String text, String shown, boolean reached) {}

    private final List<ExperimentResult> experiments;
    private final List<Target> targets = new ArrayList<>();

    private Targets(List<ExperimentResult> experiments) {
        this.experiments = experiments;
    }

    static List<Target> of(List<ExperimentResult> experiments) {
        Targets targets = new Targets(experiments);
        targets.nullSink();
        targets.peers();
        targets.ablation();
        targets.counting();
        targets.queues();
        return targets.targets;
    }

    private void nullSink() {
        String title = "Peers: null sink, 1 queue, depth 64, driver polling";
        figure(title, "sluice, sleep", Metric.IOPS).ifPresent(
                iops -> add("null sink, one loop, driver polling: 1.5 million requests per second", Metric.IOPS.format(iops), iops >= 1.5 * MILLION));
        for (String wait : List.of("sleep", "poll")) {
            String peer = "qemu-storage-daemon null-co, " + wait;
            compare("null sink, driver polling, both " + wait + ": at least null-co's requests per second", title, Metric.IOPS, "sluice, " + wait, peer, 1);
            compare("null sink, driver polling, both " + wait + ": at least null-co's requests per CPU second", title, Metric.PER_CPU_SECOND, "sluice, "
                    + wait, peer, 1);
        }
        // An object has at least 16 bytes: one per thousand requests is 0.016 bytes per request.
        figure(title, "sluice, poll", Metric.HEAP_BYTES).ifPresent(bytes -> add(
                "null sink, driver and loop polling: at most one heap object per thousand requests (0.016 bytes per request if it is of the smallest kind)",
                String.format(Locale.ROOT, "%.4f bytes", bytes), bytes <= 0.016));
    }

    private void peers() {
        for (Medium medium : List.of(Medium.RAM, Medium.DISK)) {
            for (String load : LOADS) {
                String title = "Peers: " + medium.text() + ", " + load;
                for (String peer : PEERS) {
                    String of = medium.text() + ", " + load + ": at most " + peer + "'s ";
                    compare(of + "CPU per request", title, Metric.CPU_MICROS, "sluice, sleep", peer + ", poll", 1);
                    compare(of + "p99", title, Metric.P99, "sluice, sleep", peer + ", poll", 1);
                }
            }
            String alone = "Peers: " + medium.text() + ", 1 queue, depth 1, driver sleeping";
            for (String wait : List.of("poll", "sleep")) {
                for (String peer : PEERS) {
                    compare(medium.text() + ", depth 1, both " + wait + ": at most " + peer + "'s p50", alone, Metric.P50, "sluice, " + wait, peer + ", "
                            + wait, 1);
                }
            }
        }
        compare("RAM-backed file, 1 queue, depth 64: 1.3 times qemu-storage-daemon native's requests per CPU second",
                "Peers: RAM-backed file, " + LOADS.getFirst(), Metric.PER_CPU_SECOND, "sluice, sleep", "qemu-storage-daemon native, poll", 1.3);
    }

    private void ablation() {
        compare("all parts together, null sink, 1 job: 30 % more requests per CPU second",
                "Ablation: null sink, 1 job", Metric.PER_CPU_SECOND, "+ 4 queues", "baseline", 1.3);
        compare("all parts together, null sink, 4 jobs: 80 % more requests per CPU second",
                "Ablation: null sink, 4 jobs", Metric.PER_CPU_SECOND, "+ 4 queues", "baseline", 1.8);
        for (String part : List.of("bypass", "pool", "batching")) {
            compare("null sink: " + part + " on gives more requests per CPU second than off",
                    "One part off at a time: null sink", Metric.PER_CPU_SECOND, "everything on", part + " off", 1);
        }
    }

    private void counting() {
        compare("null sink: counting requests costs at most 3 % of CPU per request", "What counting costs: null sink", Metric.CPU_MICROS,
                "requests counted", "nothing counted", 1.03);
    }

    private void queues() {
        for (String loops : List.of("1 loop", "2 loops")) {
            compare("null sink, " + loops + ": CPU per request at 4 queues within 10 % of 1 queue's",
                    "Scaling: queues and loops, null sink", Metric.CPU_MICROS, "4 queues, " + loops, "1 queue, " + loops, 1.1);
        }
        for (String title : List.of("Peers: null sink, " + LOADS.getLast(), "Peers: RAM-backed file, " + LOADS.getLast(), "Peers: disk, " + LOADS.getLast())) {
            figure(title, "sluice, sleep", Metric.UNFAIRNESS)
                    .ifPresent(ratio -> add(title.substring("Peers: ".length()) + ": p99.9 of the worst queue at most twice the"
                            + " best's", Metric.UNFAIRNESS.format(ratio), ratio <= 2));
        }
    }

    /** Compares a figure of Sluice with a factor of another's: at least that if more is better, at most that if less is. */
    private void compare(String text, String title, Metric metric, String own, String other, double factor) {
        Optional<Double> mine = figure(title, own, metric);
        Optional<Double> theirs = figure(title, other, metric);
        if (mine.isPresent() && theirs.isPresent()) {
            double bound = theirs.get() * factor;
            add(text, metric.format(mine.get()) + " versus " + metric.format(theirs.get()), metric.moreIsBetter() ? mine.get() >= bound : mine.get() <= bound);
        }
    }

    private void add(String text, String shown, boolean reached) {
        targets.add(new Target(text, shown, reached));
    }

    private Optional<Double> figure(String title, String row, Metric metric) {
        return experiments.stream()
                .filter(experiment -> experiment.experiment().title().equals(title))
                .flatMap(experiment -> experiment.rows().stream())
                .filter(result -> result.row().name().equals(row))
                .findFirst()
                .flatMap(result -> result.spread(metric))
                .map(Spread::median);
    }
}
