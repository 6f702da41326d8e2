package dev.sluice.examples.matrix;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class AimsTest {
    @Test
    void shouldJudgeByTheMediansAndLeaveOutWhatWasNotMeasured() {
        List<ExperimentResult> results = everything();
        row(results, "Ablation: null sink, 1 job", "baseline").add(Results.sample(1, 100));
        row(results, "Ablation: null sink, 1 job", "+ 4 queues").add(Results.sample(1, 129));
        assertThat(Aims.of(results)).singleElement().satisfies(aim -> assertThat(aim.reached()).isFalse());
        row(results, "Ablation: null sink, 1 job", "+ 4 queues").add(Results.sample(1, 131));
        assertThat(Aims.of(results)).singleElement().satisfies(aim -> {
            assertThat(aim.reached()).isTrue();
            assertThat(aim.shown()).isEqualTo("130 against 100");
        });
    }

    /** A row that was renamed would drop out of the aims in silence. */
    @Test
    void shouldFindEveryRowThatAnAimNames() {
        List<ExperimentResult> results = everything();
        for (ExperimentResult result : results) {
            result.rows().forEach(row -> row.add(new Sample(all())));
        }
        // 6 of the null sink, 24 + 1 of peers, 5 of the ablation, 1 of counting, 2 of loops and 3 of fairness.
        assertThat(Aims.of(results)).hasSize(42);
    }

    private static Map<Metric, Double> all() {
        Map<Metric, Double> figures = new EnumMap<>(Metric.class);
        for (Metric metric : Metric.values()) {
            figures.put(metric, 1.0);
        }
        return figures;
    }

    private static List<ExperimentResult> everything() {
        List<ExperimentResult> results = new ArrayList<>();
        for (Section section : Section.values()) {
            section.experiments().forEach(experiment -> results.add(ExperimentResult.empty(section, experiment)));
        }
        return results;
    }

    private static RowResult row(List<ExperimentResult> results, String title, String name) {
        return results.stream()
                .filter(result -> result.experiment().title().equals(title))
                .flatMap(result -> result.rows().stream())
                .filter(row -> row.row().name().equals(name))
                .findFirst()
                .orElseThrow();
    }
}
