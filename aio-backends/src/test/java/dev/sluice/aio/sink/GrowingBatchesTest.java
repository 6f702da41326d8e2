package dev.sluice.aio.sink;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class GrowingBatchesTest {
    private final GrowingBatches batches = new GrowingBatches(true);

    /** The sizes of the batches in which so many requests of one tick go early, while the kernel has so many; the last is what is left for the tick's end. */
    private static List<Integer> sizes(GrowingBatches batches, int requests, int inKernelBefore) {
        List<Integer> sizes = new ArrayList<>();
        int inKernel = inKernelBefore;
        int waiting = 0;
        for (int i = 0; i < requests; i++) {
            waiting++;
            if (batches.isDue(false, waiting, inKernel)) {
                batches.gone();
                sizes.add(waiting);
                inKernel += waiting;
                waiting = 0;
            }
        }
        sizes.add(waiting);
        return sizes;
    }

    @Test
    void shouldGrowWhileTheKernelCompletesNothing() {
        assertThat(sizes(batches, 64, 0)).containsExactly(4, 4, 8, 16, 32, 0);
    }

    @Test
    void shouldNotGrowBeyondTheLargest() {
        assertThat(sizes(batches, 256, 0)).containsExactly(4, 4, 8, 16, 32, 32, 32, 32, 32, 32, 32, 0);
    }

    @Test
    void shouldLeaveFewForTheEndOfTheTick() {
        assertThat(sizes(batches, 3, 0)).containsExactly(3);
    }

    @Test
    void shouldBeginWithWhatTheKernelHas() {
        assertThat(sizes(batches, 64, 20)).containsExactly(20, 32, 12);
    }

    @Test
    void shouldBeginAgainOnceTheKernelHasNothing() {
        assertThat(sizes(batches, 64, 0)).hasSize(6);
        assertThat(sizes(batches, 64, 0)).containsExactly(4, 4, 8, 16, 32, 0);
    }

    @Test
    void shouldKeepABatchWithASyncUntilTheEndOfTheTick() {
        assertThat(batches.isDue(true, 1, 0)).isFalse();
        for (int waiting = 2; waiting <= 64; waiting++) {
            assertThat(batches.isDue(false, waiting, 0)).isFalse();
        }
        batches.gone();
        assertThat(batches.isDue(false, GrowingBatches.FIRST, 0)).isTrue();
    }

    @Test
    void shouldSendNothingEarlyWhereItDoesNotPay() {
        assertThat(sizes(new GrowingBatches(false), 64, 0)).containsExactly(64);
    }

    /** How many of so many completions each tick acts on, if no others come. */
    private static List<Integer> ticks(GrowingBatches batches, int completions) {
        List<Integer> ticks = new ArrayList<>();
        for (int left = completions; left > 0; left -= ticks.getLast()) {
            ticks.add(batches.completionsNow(left));
        }
        return ticks;
    }

    @Test
    void shouldActOnAFewCompletionsFirstWhereManyHaveCome() {
        assertThat(ticks(batches, 62)).containsExactly(16, 46);
        assertThat(ticks(batches, 256)).containsExactly(16, 32, 64, 128, 16);
        assertThat(ticks(batches, 256)).as("again").containsExactly(16, 32, 64, 128, 16);
    }

    @Test
    void shouldNotMakeATickOfAFewCompletions() {
        assertThat(ticks(batches, 1)).containsExactly(1);
        assertThat(ticks(batches, 31)).containsExactly(31);
        assertThat(ticks(batches, 32)).containsExactly(16, 16);
    }

    @Test
    void shouldActOnAllCompletionsAtOnceWhereTheKernelCompletesAtOnce() {
        assertThat(ticks(new GrowingBatches(false), 256)).containsExactly(256);
    }
}
