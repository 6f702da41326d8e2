package dev.sluice.bench.matrix;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class TargetsTest {
    @Test
    void shouldCompareMediansAndLeaveOutWhatWasNotMeasured() {
        List<ExperimentResult> results = everything();
        row(results, "Ablation: null sink, 1 job", "baseline").add(Results.sample(1, 100));
        row(results, "Ablation: null sink, 1 job", "+ 4 queues").add(Results.sample(1, 129));
        assertThat(Targets.of(results)).singleElement().satisfies(target -> assertThat(target.reached()).isFalse());
        row(results, "Ablation: null sink, 1 job", "+ 4 queues").add(Results.sample(1, 131));
        assertThat(Targets.of(results)).singleElement().satisfies(target -> {
            assertThat(target.reached()).isTrue();
            assertThat(target.shown()).isEqualTo("130 versus 100");
        });
    }

    /** A row that was renamed would silently drop out of the targets. */
    @Test
    void shouldFindEveryRowThatATargetNames() {
        List<ExperimentResult> results = everything();
        for (ExperimentResult result : results) {
            result.rows().forEach(row -> row.add(new Sample(all())));
        }
        // 6 of the null sink, 24 + 1 of peers, 5 of the ablation, 1 of counting, 2 of loops and 3 of fairness.
        assertThat(Targets.of(results)).hasSize(42);
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
