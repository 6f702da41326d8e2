package dev.sluice.metrics;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

class LatencyBucketsTest {

    @Test
    void shouldPutEveryDurationIntoTheFirstBucketThatHoldsIt() {
        SplittableRandom random = new SplittableRandom(1);
        for (int i = 0; i < 100_000; i++) {
            agrees(random.nextLong() >>> random.nextInt(64));
        }
        for (int bits = 0; bits < 63; bits++) {
            agrees((1L << bits) - 1);
            agrees(1L << bits);
            agrees((1L << bits) + 1);
        }
        for (int bucket = 0; bucket < LatencyBuckets.COUNT - 1; bucket++) {
            agrees(LatencyBuckets.upperBoundNanos(bucket));
            agrees(LatencyBuckets.upperBoundNanos(bucket) + 1);
        }
        agrees(Long.MAX_VALUE);
        agrees(Long.MIN_VALUE);
        agrees(-1);
    }

    private static void agrees(long nanos) {
        int expected = 0;
        while (nanos > LatencyBuckets.upperBoundNanos(expected)) {
            expected++;
        }
        assertThat(LatencyBuckets.indexOf(nanos)).as(nanos + " ns").isEqualTo(expected);
    }

    @Test
    void shouldGoFromTenMicrosecondsToTenSecondsInTwentyBuckets() {
        assertThat(LatencyBuckets.COUNT).isEqualTo(20);
        assertThat(LatencyBuckets.upperBoundNanos(0)).isEqualTo(10_000);
        assertThat(LatencyBuckets.upperBoundNanos(5)).isEqualTo(500_000);
        assertThat(LatencyBuckets.upperBoundSeconds(6)).isEqualTo(0.001);
        assertThat(LatencyBuckets.upperBoundNanos(LatencyBuckets.COUNT - 2)).isEqualTo(10_000_000_000L);
        assertThat(LatencyBuckets.upperBoundSeconds(LatencyBuckets.COUNT - 1)).isInfinite();
        assertThat(LatencyBuckets.upperBoundNanos(LatencyBuckets.COUNT - 1)).isEqualTo(Long.MAX_VALUE);
        assertThatThrownBy(() -> LatencyBuckets.upperBoundNanos(LatencyBuckets.COUNT)).isInstanceOf(IndexOutOfBoundsException.class);
        assertThatThrownBy(() -> LatencyBuckets.upperBoundNanos(-1)).isInstanceOf(IndexOutOfBoundsException.class);
    }

    @Test
    void shouldGoInStepsOfOneTwoAndFive() {
        for (int bucket = 0; bucket < LatencyBuckets.COUNT - 1; bucket++) {
            long decade = Math.round(Math.pow(10, 4 + bucket / 3));
            assertThat(LatencyBuckets.upperBoundNanos(bucket)).isEqualTo(decade * List.of(1, 2, 5).get(bucket % 3));
            assertThat(LatencyBuckets.upperBoundSeconds(bucket)).isEqualTo(LatencyBuckets.upperBoundNanos(bucket) / 1e9);
        }
    }
}
