package dev.sluice.bench.ring;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.util.Arrays;
import java.util.Iterator;
import java.util.List;
import org.junit.jupiter.api.Test;

class SteadyMeasurementTest {
    private int measured;
    private int disturbed;

    private SteadyMeasurement.Placed<Integer> measureAt(double... nanos) throws Exception {
        Iterator<Double> calibrations = Arrays.stream(nanos).boxed().iterator();
        SteadyMeasurement.Placed<Integer> placed = new SteadyMeasurement(calibrations::next).run(() -> ++measured, value -> value > disturbed);
        assertThat(calibrations.hasNext()).as("calibrations left").isFalse();
        return placed;
    }

    @Test
    void shouldMeasureOnceWhereTheCpusStay() throws Exception {
        SteadyMeasurement.Placed<Integer> placed = measureAt(60, 66);
        assertThat(placed.repeats()).isZero();
        assertThat(placed.calibration()).isEqualTo(new Calibration(60, 66));
        assertThat(measured).isEqualTo(1);
    }

    @Test
    void shouldMeasureAgainWhereTheCpusMovedAndKeepTheLast() throws Exception {
        SteadyMeasurement.Placed<Integer> placed = measureAt(60, 300, 310);
        assertThat(placed.value()).isEqualTo(2);
        assertThat(placed.repeats()).isEqualTo(1);
        assertThat(placed.calibration().placement()).isEqualTo(Placement.FAR);
    }

    @Test
    void shouldGiveUpAfterThreeRepeatsWithAFigureThatIsNotCompared() throws Exception {
        SteadyMeasurement.Placed<Integer> placed = measureAt(60, 300, 60, 300, 60);
        assertThat(placed.value()).isEqualTo(4);
        assertThat(placed.repeats()).isEqualTo(SteadyMeasurement.MOST_REPEATS);
        assertThat(placed.calibration().placement()).isEqualTo(Placement.BETWEEN);
    }

    @Test
    void shouldMeasureAgainWhatWasDisturbed() throws Exception {
        disturbed = 2;
        SteadyMeasurement.Placed<Integer> placed = measureAt(60, 60, 60, 60);
        assertThat(placed.value()).isEqualTo(3);
        assertThat(placed.repeats()).isEqualTo(2);
    }

    @Test
    void shouldFailWithTheMeasurement() {
        Iterator<Double> calibrations = List.of(60.0).iterator();
        assertThatThrownBy(() -> new SteadyMeasurement(calibrations::next).run(() -> {
            throw new IOException("no luck");
        }, value -> true)).isInstanceOf(IOException.class).hasMessage("no luck");
    }
}
