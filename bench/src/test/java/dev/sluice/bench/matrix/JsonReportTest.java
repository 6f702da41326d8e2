package dev.sluice.bench.matrix;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.time.LocalDate;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class JsonReportTest {
    @Test
    void shouldHoldEveryRoundAndTheirSpread() throws Exception {
        ExperimentResult results = Results.table("baseline", "+ pool");
        results.rows().getFirst().add(Results.sample(1000, 100));
        results.rows().getFirst().add(Results.sample(2000, 300));
        results.rows().getLast().fail("no luck");
        JsonNode json = new ObjectMapper().readTree(
                JsonReport.text(Results.settings(2), LocalDate.of(2026, 1, 2), Map.of("kernel", "Linux"), 2, List.of(results)));
        assertThat(json.at("/date").asText()).isEqualTo("2026-01-02");
        assertThat(json.at("/machine/kernel").asText()).isEqualTo("Linux");
        JsonNode rows = json.at("/experiments/0/rows");
        assertThat(rows.at("/0/figures/iops/median").asDouble()).isEqualTo(1500);
        assertThat(rows.at("/0/figures/iops/least").asDouble()).isEqualTo(1000);
        assertThat(rows.at("/0/figures/requestsPerCpuSecond/most").asDouble()).isEqualTo(300);
        assertThat(rows.at("/0/rounds").findValuesAsText("iops")).containsExactly("1000.0", "2000.0");
        assertThat(rows.at("/0/backend").asText()).startsWith("./sluice serve");
        assertThat(rows.at("/1/failures/0").asText()).isEqualTo("no luck");
        assertThat(rows.at("/1/figures").isMissingNode()).isTrue();
    }
}
