package dev.sluice.bench.matrix;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.LocalDate;
import java.time.ZoneOffset;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

/**
 * The three files of a matrix: a table for people, JSON for programs, a plot. Replaced atomically after every round. One thread.
 */
final class MatrixReport {
    private final MatrixSettings settings;
    private final List<ExperimentResult> experiments;
    private final Map<String, String> machine;
    private final LocalDate date;
    private final String name;

    private MatrixReport(MatrixSettings settings, List<ExperimentResult> experiments) {
        this.settings = settings;
        this.experiments = experiments;
        this.machine = Machine.facts(settings);
        this.date = LocalDate.now(ZoneOffset.UTC);
        this.name = name(date, settings);
    }

    /**
     * Collects facts about the machine, and checks that results can be written, before anything is measured.
     *
     * @throws IOException if the directory cannot be created or written to
     */
    static MatrixReport prepare(MatrixSettings settings, List<ExperimentResult> experiments) throws IOException {
        MatrixReport report = new MatrixReport(settings, experiments);
        try {
            Files.createDirectories(settings.out());
            Path probe = Files.createTempFile(settings.out(), ".matrix-", ".tmp");
            Files.delete(probe);
        } catch (IOException refused) {
            throw new IOException("results cannot be written to " + settings.out() + " (" + refused.getClass().getSimpleName()
                    + "): set --out to a directory that you may write to", refused);
        }
        return report;
    }

    /** Results of some sections do not overwrite those of the whole matrix. */
    static String name(LocalDate date, MatrixSettings settings) {
        String parts = settings.sections().size() == Section.values().length
                ? ""
                : settings.sections().stream().sorted().map(section -> "-" + section.option()).collect(Collectors.joining());
        return date + "-matrix" + parts + (settings.rows().pattern().isEmpty() ? "" : "-rows");
    }

    void write(int rounds) throws IOException {
        List<ExperimentResult> shown = PlacedResults.split(experiments);
        write(".md", new MarkdownReport(settings, date, machine, rounds, name + ".svg").text(shown));
        write(".json", JsonReport.text(settings, date, machine, rounds, shown));
        write(".svg", new SvgPlot("sluice bench --matrix, " + date + ": medians, least to most").text(shown));
    }

    private void write(String ending, String text) throws IOException {
        Path whole = settings.out().resolve(name + ending);
        Path part = settings.out().resolve("." + name + ending + ".part");
        Files.writeString(part, text, StandardCharsets.UTF_8);
        Files.move(part, whole, StandardCopyOption.REPLACE_EXISTING);
    }

    /** For the end of the run: the tables, and where they were written. */
    String summary() {
        Path file = settings.out().resolve(name);
        return MarkdownReport.tables(PlacedResults.split(experiments)) + "\nWritten: " + file + ".md, .json and .svg\n";
    }
}
