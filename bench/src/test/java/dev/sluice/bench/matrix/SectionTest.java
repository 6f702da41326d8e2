package dev.sluice.bench.matrix;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class SectionTest {
    @Test
    void shouldParseSectionsInAnyOrder() {
        assertThat(Section.parse("scaling, ablation")).containsExactly(Section.ABLATION, Section.SCALING);
        assertThat(Section.parse("all")).containsExactly(Section.values());
    }

    @Test
    void shouldNameWhatThereIsWhereASectionIsUnknown() {
        assertThatThrownBy(() -> Section.parse("ablation,speed")).isInstanceOf(IllegalArgumentException.class).hasMessageContainingAll("'speed'", "peers",
                "guest");
        assertThatThrownBy(() -> Section.parse("")).isInstanceOf(IllegalArgumentException.class);
    }

    /** {@code --rows} picks a row by its table's title and its name. */
    @ParameterizedTest
    @EnumSource(Section.class)
    void shouldNameEveryRowApart(Section section) {
        Set<String> names = new HashSet<>();
        for (Experiment experiment : section.experiments()) {
            assertThat(experiment.rows()).as(experiment.title()).isNotEmpty();
            for (Row row : experiment.rows()) {
                assertThat(names.add(experiment.title() + " / " + row.name())).as(experiment.title() + " / " + row.name()).isTrue();
            }
        }
    }

    @Test
    void shouldOpenAtLeastTheQueuesThatALoadUsesOfThoseOffered() {
        for (Section section : Section.values()) {
            for (Experiment experiment : section.experiments()) {
                for (Row row : experiment.rows()) {
                    if (row.workload() instanceof DriverLoad load) {
                        assertThat(load.plan(1, 1).queues()).as(row.toString()).isBetween(1, load.opened());
                        assertThat(offered(row.backend())).as(row.toString()).isGreaterThanOrEqualTo(load.opened());
                    }
                }
            }
        }
    }

    private static int offered(BackendSpec backend) {
        return switch (backend) {
            case SluiceSpec sluice -> {
                List<String> options = sluice.options();
                int at = options.indexOf("--num-queues");
                yield at < 0 ? 1 : Integer.parseInt(options.get(at + 1));
            }
            case StorageDaemonSpec daemon -> daemon.queues();
            case FloorSpec floor -> floor.queues();
            case FioSpec _,SpdkSpec _ -> throw new AssertionError("the Java driver does not load " + backend);
        };
    }

    @Test
    void shouldSwitchOnOnePartAfterAnotherInTheAblation() {
        List<SluiceSpec> rows = Section.ABLATION.experiments().getFirst().rows().stream().map(row -> (SluiceSpec) row.backend()).toList();
        assertThat(rows).extracting(row -> row.options().get(1)).containsExactly("noop", "noop", "noop", "uninterested", "uninterested");
        assertThat(rows).extracting(SluiceSpec::leftOut)
                .containsExactly(List.of("pool", "batch"), List.of("batch"), List.of(), List.of(), List.of());
        assertThat(rows.getFirst().display()).startsWith("SLUICE_JAVA_OPTS=-Ddev.sluice.ablation=pool,batch ./sluice serve ");
        assertThat(rows.getFirst().command(Places.WORDS)).contains("-Ddev.sluice.ablation=pool,batch");
        assertThat(rows.getLast().display()).startsWith("./sluice serve ").doesNotContain("ablation");
    }
}
