package dev.sluice.virtio.queue;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sluice.linux.Iovec;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Every block has its own memory, is handed out once, and is missed when it does not come back. */
final class IovecSlabTest {
    private static final int SLOTS = 513;
    private static final int SEGMENTS = 30;
    private static final int LARGE = 3;
    private static final int MOST_SEGMENTS = 100;
    private static final int LARGEST = 2;
    /** Beyond the segments: two, and 16 for buffers that span regions. */
    private static final int SPARE = 18;

    private static IovecSlab slab() {
        return new IovecSlab(SLOTS, SEGMENTS, LARGE, MOST_SEGMENTS, LARGEST);
    }

    private record Block(long address, int iovecs) {}

    @Test
    void shouldGiveEachRequestAndEachBlockMemoryOfItsOwn() {
        try (IovecSlab slab = slab()) {
            List<Block> blocks = new ArrayList<>();
            List<Integer> taken = new ArrayList<>();
            for (int i = 0; i < LARGE; i++) {
                taken.add(slab.takeLarge());
                assertThat(slab.capacity(taken.getLast())).isEqualTo(SEGMENTS + SPARE);
                assertThat(slab.isLargest(taken.getLast())).isFalse();
            }
            for (int i = 0; i < LARGEST; i++) {
                taken.add(slab.takeLargest());
                assertThat(slab.capacity(taken.getLast())).isEqualTo(MOST_SEGMENTS + SPARE);
                assertThat(slab.isLargest(taken.getLast())).isTrue();
            }
            assertThat(taken).doesNotHaveDuplicates().doesNotContain(IovecSlab.EXHAUSTED);
            for (int number : taken) {
                blocks.add(new Block(slab.address(number), slab.capacity(number)));
            }
            for (int slot = 0; slot < SLOTS; slot++) {
                blocks.add(new Block(slab.inline(slot), IovecSlab.INLINE));
                assertThat(slab.inline(slot)).isEqualTo(blocks.getLast().address());
            }
            requireDisjoint(blocks);
            taken.forEach(slab::giveBack);
        }
    }

    /** What is written to one is seen in no other. */
    private static void requireDisjoint(List<Block> blocks) {
        long mark = 0;
        for (Block block : blocks) {
            for (int i = 0; i < block.iovecs(); i++, mark++) {
                Iovec.set(block.address(), i, mark, ~mark);
            }
        }
        mark = 0;
        HashSet<Long> bases = new HashSet<>();
        for (Block block : blocks) {
            for (int i = 0; i < block.iovecs(); i++, mark++) {
                assertThat(Iovec.base(block.address(), i)).isEqualTo(mark);
                assertThat(Iovec.length(block.address(), i)).isEqualTo(~mark);
                bases.add(block.address() + (long) i * Iovec.SIZE);
            }
        }
        assertThat(bases).hasSize((int) mark);
    }

    @Test
    void shouldBeExhaustedUntilABlockOfThatSizeComesBack() {
        try (IovecSlab slab = slab()) {
            List<Integer> large = List.of(slab.takeLarge(), slab.takeLarge(), slab.takeLarge());
            assertThat(slab.available()).isFalse();
            assertThat(slab.takeLarge()).isEqualTo(IovecSlab.EXHAUSTED);
            List<Integer> largest = List.of(slab.takeLargest(), slab.takeLargest());
            assertThat(slab.takeLargest()).isEqualTo(IovecSlab.EXHAUSTED);
            assertThat(slab.available()).isFalse();

            // It was the largest that was wanted last: a large one is no help.
            slab.giveBack(large.get(1));
            assertThat(slab.available()).isFalse();
            slab.giveBack(largest.get(0));
            assertThat(slab.available()).isTrue();
            long before = slab.address(largest.get(0));
            assertThat(slab.takeLargest()).isEqualTo(largest.get(0));
            assertThat(slab.address(largest.get(0))).isEqualTo(before);
            assertThat(slab.available()).isFalse();
            assertThat(slab.takeLarge()).isEqualTo(large.get(1));
            assertThat(slab.takeLarge()).isEqualTo(IovecSlab.EXHAUSTED);
            slab.giveBack(largest.get(1));
            assertThat(slab.available()).isFalse();
            slab.giveBack(large.get(0));
            assertThat(slab.available()).isTrue();

            slab.giveBack(large.get(1));
            slab.giveBack(large.get(2));
            slab.giveBack(largest.get(0));
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 255, 256, 257, 512})
    void shouldHaveInlineIovecsForItsSlotsAndNoMore(int slots) {
        try (IovecSlab slab = new IovecSlab(slots, SEGMENTS, 1, MOST_SEGMENTS, 1)) {
            assertThat(slab.inline(slots - 1)).isNotZero();
            // Parts of 256 slots each: the first slot of a part that is not needed does not exist.
            int behind = (slots + 255) / 256 * 256;
            assertThatThrownBy(() -> slab.inline(behind)).isInstanceOf(IndexOutOfBoundsException.class);
        }
    }

    @Test
    void shouldFreeAllMemoryWhenItIsClosed() {
        IovecSlab slab = slab();
        int large = slab.takeLarge();
        int largest = slab.takeLargest();
        long _ = slab.inline(300);
        slab.giveBack(large);
        slab.giveBack(largest);
        slab.close();
        assertThatThrownBy(() -> slab.address(large)).hasMessage("native block is closed");
        assertThatThrownBy(() -> slab.address(largest)).hasMessage("native block is closed");
        assertThatThrownBy(() -> slab.inline(300)).hasMessage("native block is closed");
    }

    @Test
    void shouldMissABlockThatDoesNotComeBack() {
        IovecSlab slab = slab();
        int large = slab.takeLarge();
        int other = slab.takeLarge();
        assertThatThrownBy(slab::close).isInstanceOf(AssertionError.class).hasMessage("2 iovec blocks did not come back");
        slab.giveBack(large);
        slab.giveBack(other);
        int largest = slab.takeLargest();
        assertThatThrownBy(slab::close).isInstanceOf(AssertionError.class).hasMessage("1 of the largest iovec blocks did not come back");
        slab.giveBack(largest);
        slab.close();
    }
}
