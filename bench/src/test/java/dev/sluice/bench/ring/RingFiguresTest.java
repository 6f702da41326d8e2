package dev.sluice.bench.ring;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class RingFiguresTest {
    private static final String LINE =
            """
            {"type":"read","requests":2000,"seconds":2.0,"requestsPerSecond":1000,"errors":%d,"kicks":500,"calls":0,\
            "backendCpuSeconds":0.001,"backendCpuMicros":0.5,"loadCpuSeconds":1.9,"loadCpuMicros":950}""";

    @Test
    void shouldReadTheLineOfTheLoad() throws Exception {
        assertThat(RingFigures.parse(LINE.formatted(0))).isEqualTo(new RingFigures(2000, 1000, 0.5, 0.95, 0.25, 0));
    }

    @Test
    void shouldRefuseFiguresOfRequestsThatFailed() {
        assertThatThrownBy(() -> RingFigures.parse(LINE.formatted(3))).isInstanceOf(IOException.class).hasMessage("3 of 2000 requests failed");
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "{}", "ring-load: no", "{\"requests\":0,\"seconds\":1,\"backendCpuMicros\":1}", "{\"requests\":5,\"seconds\":1}"})
    void shouldRefuseWhatIsNotALineOfFigures(String text) {
        assertThatThrownBy(() -> RingFigures.parse(text)).isInstanceOf(IOException.class).hasMessageContaining("not figures of a load");
    }

    @Test
    void shouldNameSocketsPlacesAndProcessOnTheCommandLine() {
        RingLoad load = new RingLoad(new PlacedCpus(new CPrograms(Path.of("/c")), new CpuPair(2, 5)));
        RingLoadPlan plan = new RingLoadPlan(2, 4, 16, 512, true, true);
        assertThat(load.command(plan, List.of(Path.of("a"), Path.of("b")), 77, 0.25, 2)).containsExactly(
                "/c/ring-load", "a", "b", "--queues", "4", "--depth", "16", "--size", "512", "--type", "write", "--pattern", "random", "--cpu", "5", "--pid",
                "77", "--warmup", "0.250", "--seconds", "2.000");
        assertThatThrownBy(() -> load.command(plan, List.of(), 77, 0, 1)).isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void shouldRefusePlansThatTheLoadWouldChange() {
        assertThatThrownBy(() -> new RingLoadPlan(1, 1, 1, 1000, false, false)).hasMessageContaining("1000");
        assertThatThrownBy(() -> new RingLoadPlan(0, 1, 1, 512, false, false)).hasMessageContaining("disks");
        assertThatThrownBy(() -> new RingLoadPlan(1, 1, 0, 512, false, false)).hasMessageContaining("depth");
    }
}
