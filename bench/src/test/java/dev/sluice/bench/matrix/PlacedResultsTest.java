package dev.sluice.bench.matrix;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.sluice.bench.ring.Calibration;
import dev.sluice.bench.ring.RingLoadPlan;
import java.time.LocalDate;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class PlacedResultsTest {
    private static final double NEAR = 60;
    private static final double FAR = 300;
    private static final double BETWEEN = 150;

    private final ExperimentResult results = ExperimentResult.empty(
            Section.PLACED,
            new PlacedTable(Medium.NULL, new RingLoadPlan(1, 1, 64, 4096, false, false)).floor(true).sluice(true).storageDaemon(true).experiment("Ring: "));
    private final RowResult floor = results.rows().get(0);
    private final RowResult sluice = results.rows().get(1);
    private final RowResult daemon = results.rows().get(2);

    private static Sample sample(double iops, double before, double after, double loadShare) {
        Map<Metric, Double> figures = new EnumMap<>(Metric.class);
        figures.put(Metric.IOPS, iops);
        figures.put(Metric.CPU_SHARE, loadShare);
        Calibration calibration = new Calibration(before, after);
        figures.put(Metric.ROUND_TRIP, calibration.nanos());
        return new Sample(figures, Optional.of(calibration));
    }

    private static Sample sample(double iops, double nanos) {
        return sample(iops, nanos, nanos, 1);
    }

    @Test
    void shouldCompareFiguresOfOnePlacementOnly() {
        floor.add(sample(16_000_000, NEAR));
        sluice.add(sample(7_000_000, NEAR));
        floor.add(sample(7_000_000, FAR));
        sluice.add(sample(3_000_000, FAR));
        List<ExperimentResult> shown = PlacedResults.split(List.of(results));
        assertThat(shown).extracting(part -> part.experiment().title()).containsExactly(
                "Ring: null sink, 4 KiB reads, 1 queue, depth 64, CPUs near", "Ring: null sink, 4 KiB reads, 1 queue, depth 64, CPUs far");
        assertThat(MarkdownReport.table(shown.getFirst()).lines()).contains("| sluice, poll | 7,000,000 | 60 | 1.00 |");
        assertThat(MarkdownReport.table(shown.getLast()).lines()).contains("| sluice, poll | 3,000,000 | 300 | 1.00 |");
    }

    @Test
    void shouldRefuseARingFigureAboveFourFifthsOfTheFloor() throws Exception {
        floor.add(sample(10_000_000, NEAR));
        sluice.add(sample(8_000_001, NEAR));
        daemon.add(sample(8_000_000, NEAR));
        List<ExperimentResult> shown = PlacedResults.split(List.of(results));
        assertThat(MarkdownReport.table(shown.getFirst()))
                .contains("| sluice, poll - **refused**: 8,000,001 requests/s are above 0.8 of the floor's 10,000,000: limited by the load |  |  |  |")
                .contains("| qemu-storage-daemon, poll | 8,000,000 |");
        JsonNode json = new ObjectMapper().readTree(JsonReport.text(Results.settings(1), LocalDate.of(2026, 1, 2), Map.of(), 1, shown));
        assertThat(json.at("/experiments/0/rows/1/refused").asText()).contains("limited by the load");
        assertThat(json.at("/experiments/0/rows/1/figures").isMissingNode()).isTrue();
        assertThat(json.at("/experiments/0/rows/1/rounds/0/placement").asText()).isEqualTo("near");
        assertThat(json.at("/experiments/0/rows/1/rounds/0/roundTripNanosBefore").asDouble()).isEqualTo(NEAR);
    }

    @Test
    void shouldNotCompareWhatIsInBetweenMovedOrBusy() {
        floor.add(sample(10_000_000, BETWEEN));
        sluice.add(sample(9_000_000, NEAR, FAR, 1));
        daemon.add(sample(9_000_000, NEAR, NEAR, 0.5));
        List<ExperimentResult> shown = PlacedResults.split(List.of(results));
        assertThat(shown).singleElement().satisfies(part -> {
            assertThat(part.experiment().title()).endsWith("CPUs in between, moved or busy");
            assertThat(MarkdownReport.table(part)).contains(
                    "| floor, poll - not compared | 10,000,000 |", "| sluice, poll - not compared | 9,000,000 |",
                    "| qemu-storage-daemon, poll - not compared | 9,000,000 |");
        });
    }

    @Test
    void shouldNotCompareARingFigureWithoutAFloorOfItsPlacement() {
        floor.add(sample(7_000_000, FAR));
        sluice.add(sample(7_000_000, NEAR));
        List<ExperimentResult> shown = PlacedResults.split(List.of(results));
        assertThat(MarkdownReport.table(shown.getFirst())).contains("| sluice, poll - not compared | 7,000,000 |").doesNotContain("floor");
    }

    @Test
    void shouldLeaveOtherTablesAndThoseWithoutFiguresAlone() {
        ExperimentResult other = Results.table("baseline");
        other.rows().getFirst().add(Results.sample(1, 1));
        sluice.fail("no luck");
        assertThat(PlacedResults.split(List.of(other, results))).containsExactly(other, results);
    }
}
