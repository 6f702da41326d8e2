package dev.sluice.bench.matrix;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.Test;

class SpreadTest {
    @Test
    void shouldBeEmptyWithoutFigures() {
        assertThat(Spread.of(List.of())).isEmpty();
    }

    @Test
    void shouldTakeTheMiddleOfAnOddNumberWhateverTheirOrder() {
        assertThat(Spread.of(List.of(9.0, 1.0, 2.0))).contains(new Spread(2, 1, 9));
    }

    @Test
    void shouldTakeTheMeanOfTheMiddleTwoOfAnEvenNumber() {
        assertThat(Spread.of(List.of(8.0, 1.0, 4.0, 2.0))).contains(new Spread(3, 1, 8));
    }

    @Test
    void shouldBeTheFigureItselfWhereThereIsOne() {
        assertThat(Spread.of(List.of(5.5))).contains(new Spread(5.5, 5.5, 5.5));
    }
}
