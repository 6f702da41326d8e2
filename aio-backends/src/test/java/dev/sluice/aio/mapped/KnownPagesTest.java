package dev.sluice.aio.mapped;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.util.BitSet;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

class KnownPagesTest {
    private static final int PAGE = 4096;

    @Test
    void shouldAgreeWithASetOfPages() throws IOException {
        int pages = 300;
        SplittableRandom random = new SplittableRandom(42);
        BitSet expected = new BitSet();
        try (KnownPages known = KnownPages.of((long) pages * PAGE - 512, PAGE)) {
            for (int round = 0; round < 20_000; round++) {
                long offset = random.nextInt(pages * 8 - 1) * 512L;
                long most = Math.min((long) pages * PAGE - 512 - offset, 1L << random.nextInt(9, 21));
                long bytes = Math.max(512, random.nextLong(most / 512 + 1) * 512);
                int first = (int) (offset / PAGE);
                int end = (int) ((offset + bytes - 1) / PAGE) + 1;
                switch (random.nextInt(3)) {
                    case 0 -> {
                        known.add(offset, bytes);
                        expected.set(first, end);
                    }
                    case 1 -> {
                        known.remove(offset, bytes);
                        expected.clear(first, end);
                    }
                    default -> assertThat(known.contain(offset, bytes))
                            .as("round %d: %d bytes from %d", round, bytes, offset)
                            .isEqualTo(expected.nextClearBit(first) >= end);
                }
            }
        }
    }

    @Test
    void shouldTakeOverWhatWasKnownOfASmallerImage() throws IOException {
        try (KnownPages small = KnownPages.of(100 * PAGE, PAGE);
                KnownPages large = KnownPages.of(1000 * PAGE, PAGE)) {
            small.add(70 * PAGE, 30 * PAGE);
            large.add(2 * PAGE, PAGE);
            large.addAll(small);
            assertThat(large.contain(70 * PAGE, 30 * PAGE)).isTrue();
            assertThat(large.contain(2 * PAGE, PAGE)).isTrue();
            assertThat(large.contain(69 * PAGE, PAGE)).isFalse();
            assertThat(large.contain(100 * PAGE, PAGE)).isFalse();
        }
    }

    @Test
    void shouldReachTheLastPageOfTheLargestImage() throws IOException {
        try (KnownPages known = KnownPages.of(ImageMapping.MAX_BYTES, PAGE)) {
            assertThat(known.contain(ImageMapping.MAX_BYTES - 512, 512)).isFalse();
            known.add(ImageMapping.MAX_BYTES - 512, 512);
            assertThat(known.contain(ImageMapping.MAX_BYTES - PAGE, PAGE)).isTrue();
            assertThat(known.contain(ImageMapping.MAX_BYTES - 2 * PAGE, PAGE)).isFalse();
        }
    }
}
