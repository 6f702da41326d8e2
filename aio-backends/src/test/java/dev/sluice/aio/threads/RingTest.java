package dev.sluice.aio.threads;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.ArrayDeque;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

class RingTest {
    @Test
    void shouldKeepTheOrderWhereverItGrows() {
        SplittableRandom random = new SplittableRandom(20);
        for (int round = 0; round < 50; round++) {
            Ring<Integer> ring = new Ring<>();
            ArrayDeque<Integer> expected = new ArrayDeque<>();
            for (int i = 0; i < 500; i++) {
                if (random.nextInt(5) < 3) {
                    ring.reserve(ring.size() + 1);
                    ring.add(i);
                    expected.add(i);
                } else if (!expected.isEmpty()) {
                    assertThat(ring.remove()).isEqualTo(expected.remove());
                }
                assertThat(ring.size()).isEqualTo(expected.size());
                assertThat(ring.isEmpty()).isEqualTo(expected.isEmpty());
            }
        }
    }

    @Test
    void shouldKeepWhatItHoldsWhenThereIsNoMemoryToGrow() {
        Ring<Integer> ring = new Ring<>();
        for (int i = 0; i < 16; i++) {
            ring.reserve(i + 1);
            ring.add(i);
        }
        // No array can be that long.
        assertThatThrownBy(() -> ring.reserve(Integer.MAX_VALUE)).isInstanceOf(OutOfMemoryError.class);
        for (int i = 0; i < 16; i++) {
            assertThat(ring.remove()).isEqualTo(i);
        }
        assertThat(ring.isEmpty()).isTrue();
    }
}
