package dev.sluice.virtio.queue;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sluice.linux.Iovec;
import java.util.ArrayList;
import java.util.List;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;

/** What is given out together never overlaps, and what was given out once is not given out again before it has come back. */
class IovecSlabTest {
    private static final int SLOTS = 600;
    private static final int SEGMENTS = 126;
    private static final int LARGE = 5;
    private static final int MOST_SEGMENTS = 1024;
    private static final int LARGEST = 3;

    private static IovecSlab slab() {
        return new IovecSlab(SLOTS, SEGMENTS, LARGE, MOST_SEGMENTS, LARGEST);
    }

    private static List<Integer> takeAll(IovecSlab slab) {
        List<Integer> taken = new ArrayList<>();
        for (int i = 0; i < LARGE; i++) {
            taken.add(slab.takeLarge());
        }
        assertThat(slab.takeLarge()).isEqualTo(IovecSlab.EXHAUSTED);
        for (int i = 0; i < LARGEST; i++) {
            taken.add(slab.takeLargest());
        }
        assertThat(slab.takeLargest()).isEqualTo(IovecSlab.EXHAUSTED);
        assertThat(taken).doesNotContain(IovecSlab.EXHAUSTED).doesNotHaveDuplicates();
        return taken;
    }

    @Test
    void shouldNeverOverlapWhenEverythingIsGivenOut() {
        try (IovecSlab slab = slab()) {
            TreeMap<Long, Long> ends = new TreeMap<>();
            for (int slot = 0; slot < SLOTS; slot++) {
                ends.put(slab.inline(slot), slab.inline(slot) + (long) IovecSlab.INLINE * Iovec.SIZE);
            }
            List<Integer> blocks = takeAll(slab);
            for (int block : blocks) {
                assertThat(slab.capacity(block)).isGreaterThanOrEqualTo(slab.isLargest(block) ? MOST_SEGMENTS : SEGMENTS);
                ends.put(slab.address(block), slab.address(block) + (long) slab.capacity(block) * Iovec.SIZE);
            }
            assertThat(ends).as("different addresses").hasSize(SLOTS + LARGE + LARGEST);
            long end = 0;
            for (var range : ends.entrySet()) {
                assertThat(range.getKey()).as("begins where the one before has ended, or later").isGreaterThanOrEqualTo(end);
                end = range.getValue();
            }
            blocks.forEach(slab::giveBack);
        }
    }

    @Test
    void shouldGiveABlockOutAgainOnceItHasComeBack() {
        try (IovecSlab slab = slab()) {
            List<Integer> blocks = takeAll(slab);
            assertThat(slab.takeLarge()).isEqualTo(IovecSlab.EXHAUSTED);
            assertThat(slab.available()).isFalse();
            slab.giveBack(blocks.getLast());
            assertThat(slab.available()).as("one of another size").isFalse();
            slab.giveBack(blocks.getFirst());
            assertThat(slab.available()).isTrue();
            assertThat(slab.takeLarge()).isEqualTo(blocks.getFirst());
            assertThat(slab.takeLargest()).isEqualTo(blocks.getLast());
            assertThat(slab.takeLargest()).isEqualTo(IovecSlab.EXHAUSTED);
            assertThat(slab.available()).isFalse();
            blocks.forEach(slab::giveBack);
        }
    }

    @Test
    void shouldSayWhenABlockDidNotComeBack() {
        IovecSlab slab = slab();
        int block = slab.takeLargest();
        assertThatThrownBy(slab::close).isInstanceOf(AssertionError.class).hasMessageContaining("did not come back");
        slab.giveBack(block);
        slab.close();
    }
}
