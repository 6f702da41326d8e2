package dev.sluice.metrics;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

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
    void shouldDoubleFromAMicrosecondToSeventeenSeconds() {
        assertThat(LatencyBuckets.upperBoundNanos(0)).isEqualTo(1024);
        assertThat(LatencyBuckets.upperBoundNanos(LatencyBuckets.COUNT - 2)).isEqualTo(1L << 34);
        assertThat(LatencyBuckets.upperBoundNanos(LatencyBuckets.COUNT - 1)).isEqualTo(Long.MAX_VALUE);
        assertThatThrownBy(() -> LatencyBuckets.upperBoundNanos(LatencyBuckets.COUNT)).isInstanceOf(IndexOutOfBoundsException.class);
        assertThatThrownBy(() -> LatencyBuckets.upperBoundNanos(-1)).isInstanceOf(IndexOutOfBoundsException.class);
    }
}
