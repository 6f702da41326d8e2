package dev.sluice.bench.matrix;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.util.Map;
import org.junit.jupiter.api.Test;

class GuestRunTest {
    private static final String FIO =
            """
            {"jobs": [{"read": {"total_ios": 20000, "iops": 10000.5,
                "clat_ns": {"percentile": {"50.000000": 4000000, "99.000000": 9000000, "99.900000": 12500000}}}}]}""";

    private final ObjectMapper json = new ObjectMapper();

    @Test
    void shouldShareTheBackendsCpuAmongTheGuestsRequests() throws Exception {
        Sample sample = GuestRun.merge(json.readTree(FIO), new Sample(Map.of(Metric.CPU_MICROS, 100_000.0, Metric.KICKS, 0.5)));
        assertThat(sample.figures()).containsOnly(
                Map.entry(Metric.IOPS, 10000.5), Map.entry(Metric.CPU_MICROS, 5.0), Map.entry(Metric.PER_CPU_SECOND, 200_000.0), Map.entry(Metric.KICKS, 0.5),
                Map.entry(Metric.P50, 4000.0), Map.entry(Metric.P99, 9000.0), Map.entry(Metric.P999, 12500.0));
    }

    @Test
    void shouldRefuseAResultWithoutReads() {
        assertThatThrownBy(() -> GuestRun.merge(json.readTree("{\"jobs\": []}"), new Sample(Map.of())))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("read nothing");
    }
}
