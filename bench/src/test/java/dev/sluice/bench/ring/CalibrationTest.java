package dev.sluice.bench.ring;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class CalibrationTest {
    @ParameterizedTest
    @CsvSource({"40, NEAR", "119.9, NEAR", "120, BETWEEN", "200, BETWEEN", "200.1, FAR", "400, FAR"})
    void shouldCallNearWhatIsBelow120AndFarWhatIsAbove200(double nanos, Placement expected) {
        assertThat(Placement.of(nanos)).isEqualTo(expected);
        assertThat(new Calibration(nanos, nanos).placement()).isEqualTo(expected);
    }

    @ParameterizedTest
    @CsvSource({"60, 300", "300, 60", "110, 130", "60, 110", "210, 330"})
    void shouldNotCompareAFigureWhoseCpusMoved(double before, double after) {
        assertThat(new Calibration(before, after).steady()).isFalse();
        assertThat(new Calibration(before, after).placement().comparable()).isFalse();
    }

    @Test
    void shouldHoldTheMeanOfBothEnds() {
        assertThat(new Calibration(60, 70).nanos()).isEqualTo(65);
        assertThat(new Calibration(60, 70).placement().comparable()).isTrue();
    }

    @Test
    void shouldReadWhatTheProgramPrints() throws Exception {
        assertThat(PlacedCpus.nanos("{\"roundTripNanos\":63.5,\"median\":64.0,\"disturbed\":0.010}")).isEqualTo(63.5);
        for (String wrong : new String[] {"", "rt=63", "{}", "{\"roundTripNanos\":\"63\"}", "{\"roundTripNanos\":0}"}) {
            assertThatThrownBy(() -> PlacedCpus.nanos(wrong)).as(wrong).isInstanceOf(IOException.class).hasMessageContaining("not a calibration");
        }
    }
}
