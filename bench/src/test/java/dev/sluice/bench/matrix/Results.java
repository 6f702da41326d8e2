package dev.sluice.bench.matrix;

import java.nio.file.Path;
import java.util.EnumMap;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;

/** Settings and results with figures of a test's choice. */
final class Results {
    private Results() {}

    static MatrixSettings settings(int rounds) {
        return settings(rounds, EnumSet.allOf(Section.class), "");
    }

    static MatrixSettings settings(int rounds, EnumSet<Section> sections, String rows) {
        return new MatrixSettings(
                sections, Pattern.compile(rows), rounds, 1, 2, Path.of("/disk"), Path.of("/ram"), 64 << 20, Path.of("out"), null, null,
                "sluice bench --matrix");
    }

    /** A table of rows named as told on the null sink, compared with the first, without figures yet. */
    static ExperimentResult table(String... names) {
        List<Row> rows = List.of(names).stream().map(name -> new Row(name, SluiceSpec.on(Medium.NULL), DriverLoad.onQueues(1))).toList();
        return ExperimentResult.empty(Section.ABLATION, new Experiment("A <title> & more", "A note.", Metric.PER_CPU_SECOND, true, rows));
    }

    static Sample sample(double iops, double perCpuSecond) {
        Map<Metric, Double> figures = new EnumMap<>(Metric.class);
        figures.put(Metric.IOPS, iops);
        figures.put(Metric.PER_CPU_SECOND, perCpuSecond);
        return new Sample(figures);
    }
}
