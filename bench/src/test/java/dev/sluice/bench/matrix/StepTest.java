package dev.sluice.bench.matrix;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class StepTest {
    private final SluiceSpec sluice = SluiceSpec.on(Medium.NULL);
    private final StorageDaemonSpec daemon = StorageDaemonSpec.nullCo(1);

    @Test
    void shouldMeasureEqualBackendsOfASectionInOneProcess() {
        List<Step> steps = Step.of(List.of(
                table(Section.PEERS, "a", sluice, daemon), table(Section.PEERS, "b", SluiceSpec.on(Medium.NULL), daemon), table(Section.SCALING, "c", sluice)));
        assertThat(steps).extracting(Step::backend).containsExactly(sluice, daemon, sluice);
        assertThat(steps).extracting(step -> step.rows().stream().map(row -> row.row().name()).toList())
                .containsExactly(List.of("a0", "b0"), List.of("a1", "b1"), List.of("c0"));
    }

    @Test
    void shouldWarmUpANewProcessThatCompilesAndLetTheOthersSettle() {
        MatrixSettings settings = Results.settings(3);
        List<Step> steps = Step.of(List.of(table(Section.PEERS, "a", sluice, daemon)));
        assertThat(steps.getFirst().warmUpSeconds(0, settings)).isEqualTo(settings.warmUpSeconds());
        assertThat(steps.getFirst().warmUpSeconds(1, settings)).isEqualTo(Step.SETTLE_SECONDS);
        assertThat(steps.getLast().warmUpSeconds(0, settings)).isEqualTo(Step.SETTLE_SECONDS);
        assertThat(steps.getFirst().estimateSeconds(settings)).isGreaterThan(settings.warmUpSeconds() + settings.seconds());
    }

    private static ExperimentResult table(Section section, String name, BackendSpec... backends) {
        List<Row> rows = new ArrayList<>();
        for (int i = 0; i < backends.length; i++) {
            rows.add(new Row(name + i, backends[i], DriverLoad.onQueues(1)));
        }
        return ExperimentResult.empty(section, new Experiment(name, "", Metric.IOPS, false, rows));
    }
}
