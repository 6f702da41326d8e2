package dev.sluice.bench.matrix;

import java.time.LocalDate;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.StringJoiner;

/** The results for people, in Markdown. Not thread safe. */
final class MarkdownReport {
    private final MatrixSettings settings;
    private final LocalDate date;
    private final Map<String, String> machine;
    private final int rounds;
    private final String plot;

    /**
     * Creates a report.
     *
     * @param rounds measured so far
     * @param plot file name of the plot next to it
     */
    MarkdownReport(MatrixSettings settings, LocalDate date, Map<String, String> machine, int rounds, String plot) {
        this.settings = settings;
        this.date = date;
        this.machine = machine;
        this.rounds = rounds;
        this.plot = plot;
    }

    String text(List<ExperimentResult> experiments) {
        StringBuilder text = new StringBuilder("# Matrix of " + date + "\n\n");
        text.append("`").append(settings.command()).append("`\n\n");
        text.append("| machine | |\n|---|---|\n");
        machine.forEach((name, value) -> text.append("| ").append(name).append(" | ").append(cell(value)).append(" |\n"));
        text.append(String.format(
                Locale.ROOT,
                """

                %d of %d rounds; in each of them every row was measured once, for %s s. \
                Figures are medians (least - most) of the rounds. The driver runs in a process of its own on
                the same cores. CPU is user and system time of the whole backend process, \
                kernel workers, garbage collector and compiler included, per request; \
                latency counts from the
                submission of a request to the driver's pass that reaped it. \
                Not measured: %s s of warm-up on each new `sluice` process, in which it compiles, %s s \
                on any other and before
                each further row of a process. Heap, kicks, interrupts and enters are from `serve --stats`; the others report none. \
                Rows of one backend \
                command share a process in each round.

                Where a table has a column `CPUs apart`, backend and load ran on a CPU each, and a cache line's round trip between the two was measured \
                before and after each figure: near is below 120 ns,
                far above 200. If they moved in between, or something else ran on the load's CPU, the figure was measured again, at most three \
                times. Figures of one placement are compared; a ring's above 0.8 of the
                floor's is refused, since it may be the load's own limit.

                ![the headline figure of each table](%s)
                """,
                rounds, settings.rounds(), settings.seconds(), Math.max(Step.SETTLE_SECONDS, settings.warmUpSeconds()), Step.SETTLE_SECONDS,
                plot));
        text.append(targets(experiments));
        Section current = null;
        for (ExperimentResult experiment : experiments) {
            if (experiment.section() != current) {
                current = experiment.section();
                text.append("\n## ").append(current.title()).append("\n");
            }
            text.append("\n### ").append(experiment.experiment().title()).append("\n\n");
            text.append(experiment.experiment().note()).append("\n\n");
            text.append(table(experiment));
            text.append(commands(experiment));
        }
        return text.toString();
    }

    private static String targets(List<ExperimentResult> experiments) {
        List<Targets.Target> targets = Targets.of(experiments);
        if (targets.isEmpty()) {
            return "";
        }
        StringBuilder text = new StringBuilder("\n## Targets\n\nCompared with the medians below.\n\n| target | shown | |\n|---|---|---|\n");
        for (Targets.Target target : targets) {
            text.append("| ").append(target.text()).append(" | ").append(target.shown()).append(" | ")
                    .append(target.reached() ? "reached" : "**missed**").append(" |\n");
        }
        return text.toString();
    }

    /** The tables alone, with their titles. */
    static String tables(List<ExperimentResult> experiments) {
        StringBuilder text = new StringBuilder();
        for (ExperimentResult experiment : experiments) {
            text.append("\n").append(experiment.experiment().title()).append("\n").append(table(experiment));
        }
        return text.toString();
    }

    static String table(ExperimentResult experiment) {
        List<Metric> columns = new ArrayList<>();
        for (Metric metric : Metric.values()) {
            if (experiment.rows().stream().anyMatch(row -> row.spread(metric).isPresent())) {
                columns.add(metric);
            }
        }
        boolean gains = experiment.experiment().gains();
        StringJoiner head = new StringJoiner(" | ", "| ", " |\n").add("");
        StringJoiner rule = new StringJoiner("|", "|", "|\n").add("---");
        if (gains) {
            head.add("requests/CPU s versus the first");
            rule.add("---:");
        }
        if (columns.isEmpty() && !gains) {
            head.add("");
            rule.add("---");
        }
        for (Metric column : columns) {
            head.add(column.title());
            rule.add("---:");
        }
        StringBuilder text = new StringBuilder().append(head).append(rule);
        for (RowResult row : experiment.rows()) {
            text.append(line(experiment, row, columns, gains));
        }
        return text.toString();
    }

    private static String line(ExperimentResult experiment, RowResult row, List<Metric> columns, boolean gains) {
        StringJoiner line = new StringJoiner(" | ", "| ", " |\n").add(cell(row.row().name() + remark(row)));
        if (gains) {
            line.add(experiment.gain(row).map(MarkdownReport::percent).orElse(""));
        }
        if (columns.isEmpty() && !gains) {
            line.add("");
        }
        for (Metric column : columns) {
            line.add(row.spread(column).map(spread -> spread(column, spread, row.samples().size())).orElse(""));
        }
        return line.toString();
    }

    /** Why a row has no figures, or too few. */
    private static String remark(RowResult row) {
        if (!row.skipped().isEmpty()) {
            return " - left out: " + row.skipped();
        }
        if (!row.refused().isEmpty()) {
            return " - **refused**: " + row.refused();
        }
        if (row.uncompared()) {
            return " - not compared";
        }
        return row.failures().isEmpty() ? "" : " - **failed**: " + String.join("; ", row.failures());
    }

    private static String spread(Metric metric, Spread spread, int samples) {
        String median = metric.format(spread.median());
        return samples == 1 ? median : median + " (" + metric.format(spread.least()) + " - " + metric.format(spread.most()) + ")";
    }

    private static String percent(double gain) {
        return String.format(Locale.ROOT, "%+.0f %%", (gain - 1) * 100);
    }

    /** Escapes what would end a cell early. */
    private static String cell(String text) {
        return text.replace("|", "\\|").replace("\n", " ");
    }

    private static String commands(ExperimentResult experiment) {
        StringBuilder text = new StringBuilder("\n```\n");
        Set<String> loads = new LinkedHashSet<>();
        for (RowResult row : experiment.rows()) {
            loads.add(row.row().workload().display());
        }
        for (RowResult row : experiment.rows()) {
            text.append("# ").append(row.row().name()).append("\n").append(row.row().backend().display()).append("\n");
            if (loads.size() > 1) {
                text.append(row.row().workload().display()).append("\n");
            }
        }
        if (loads.size() == 1) {
            text.append("# the load on each\n").append(loads.iterator().next()).append("\n");
        }
        return text.append("```\n").toString();
    }
}
