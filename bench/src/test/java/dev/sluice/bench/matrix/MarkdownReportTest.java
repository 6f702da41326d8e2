package dev.sluice.bench.matrix;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.LocalDate;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class MarkdownReportTest {
    private final ExperimentResult results = Results.table("baseline", "+ pool");
    private final RowResult baseline = results.rows().getFirst();
    private final RowResult pool = results.rows().getLast();

    @Test
    void shouldShowMediansWithTheirEndsAndTheGainOverTheFirstRow() {
        baseline.add(Results.sample(1000, 100));
        baseline.add(Results.sample(3000, 300));
        baseline.add(Results.sample(2000, 200));
        pool.add(Results.sample(4000, 260));
        assertThat(MarkdownReport.table(results).lines()).containsExactly(
                "|  | requests/CPU s versus the first | IOPS | requests/CPU s |",
                "|---|---:|---:|---:|",
                "| baseline |  | 2,000 (1,000 - 3,000) | 200 (100 - 300) |",
                "| + pool | +30 % | 4,000 | 260 |");
    }

    @Test
    void shouldSayInARowWhyItFailedOrWasLeftOut() {
        baseline.fail("it said \"a|b\"\nand ended");
        baseline.fail("it said \"a|b\"\nand ended");
        pool.skip("qemu is not installed");
        assertThat(MarkdownReport.table(results).lines()).containsExactly(
                "|  | requests/CPU s versus the first |",
                "|---|---:|",
                "| baseline - **failed**: it said \"a\\|b\" and ended |  |",
                "| + pool - left out: qemu is not installed |  |");
    }

    @Test
    void shouldNameCommandMachineRoundsAndTheCommandsOfItsRows() {
        baseline.add(Results.sample(1000, 100));
        String text = new MarkdownReport(Results.settings(3), LocalDate.of(2026, 1, 2), Map.of("cores", "2"), 1, "plot.svg").text(List.of(results));
        assertThat(text).startsWith("# Matrix of 2026-01-02\n").contains(
                "`sluice bench --matrix`", "| cores | 2 |", "1 of 3 rounds", "(plot.svg)", "## The effect of each part", "### A <title> & more", "A note.",
                "# baseline\n./sluice serve --socket-path SOCKET --backend null", "./sluice bench SOCKET --queues 1 --depth 64 --jobs 1 --bs 4096");
    }
}
