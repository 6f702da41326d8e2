package dev.sluice.pipeline;

import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;

final class RangesTest {
    @Test
    void shouldTakeWhatIsWithinTheBoundsAndNothingElse() {
        for (long value = -1; value <= 3; value++) {
            Ranges.require("queues", value, -1, 3);
        }
        for (long outside : new long[] {-2, 4, Long.MIN_VALUE, Long.MAX_VALUE}) {
            assertThatThrownBy(() -> Ranges.require("queues", outside, -1, 3))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessage("queues " + outside + " is not from -1 to 3");
        }
    }
}
