package dev.sluice.bench.matrix;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.LocalDate;
import java.util.EnumSet;
import java.util.List;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class MatrixReportTest {
    private static final LocalDate DATE = LocalDate.of(2026, 1, 2);

    @TempDir
    Path directory;

    @Test
    void shouldNotPutAPartInTheWholesPlace() {
        assertThat(MatrixReport.name(DATE, Results.settings(3))).isEqualTo("2026-01-02-matrix");
        assertThat(MatrixReport.name(DATE, Results.settings(3, EnumSet.of(Section.SCALING, Section.PEERS), ""))).isEqualTo("2026-01-02-matrix-peers-scaling");
        assertThat(MatrixReport.name(DATE, Results.settings(3, EnumSet.allOf(Section.class), "disk"))).isEqualTo("2026-01-02-matrix-rows");
    }

    @Test
    void shouldWriteThreeFilesAndNothingElse() throws Exception {
        Path out = directory.resolve("made/on/the/way");
        ExperimentResult results = Results.table("baseline");
        results.rows().getFirst().add(Results.sample(1000, 100));
        MatrixReport report = MatrixReport.prepare(to(out), List.of(results));
        report.write(1);
        report.write(2);
        try (Stream<Path> files = Files.list(out)) {
            assertThat(files.map(file -> file.getFileName().toString().replaceFirst("^[0-9-]+", ""))).containsExactlyInAnyOrder("matrix.md", "matrix.json",
                    "matrix.svg");
        }
        assertThat(report.summary()).contains("A <title> & more", "| baseline |", out.toString());
    }

    @Test
    void shouldSayBeforeAnythingIsMeasuredThatResultsCannotBeWritten() throws Exception {
        Path file = Files.writeString(directory.resolve("file"), "");
        assertThatThrownBy(() -> MatrixReport.prepare(to(file.resolve("out")), List.of())).isInstanceOf(IOException.class).hasMessageContaining("--out");
    }

    private MatrixSettings to(Path out) {
        return new MatrixSettings(
                EnumSet.allOf(Section.class), Pattern.compile(""), 1, 1, 1, directory, directory, 64 << 20, out, null, null, "sluice bench --matrix");
    }
}
