package dev.sluice.virtio.blk;

import static dev.sluice.virtio.blk.QueueUnderTest.BORDER;
import static dev.sluice.virtio.blk.QueueUnderTest.END;
import static dev.sluice.virtio.blk.QueueUnderTest.GUEST;
import static dev.sluice.virtio.blk.QueueUnderTest.HEAP;
import static dev.sluice.virtio.blk.QueueUnderTest.SIZE;
import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.pipeline.testing.SimulatedFaults;
import dev.sluice.virtio.blk.QueueUnderTest.Used;
import dev.sluice.virtio.layout.VirtioFeatures;
import java.io.IOException;
import java.util.BitSet;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Random descriptors behind honest rings: each head comes back once, with no more bytes than there were to write, and nothing is thrown. */
final class FuzzedChainTest {
    private static final long TABLE = HEAP + 0x8000;
    private static final int ROUNDS = 4000;

    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3, 4, 5, 6})
    void shouldGiveEveryHeadBackOnceWhenDescriptorsAreRandom(long seed) throws IOException {
        SplittableRandom random = new SplittableRandom(seed);
        QueueUnderTest.Setup setup = new QueueUnderTest.Setup();
        setup.features = VirtioFeatures.VERSION_1 | VirtioFeatures.INDIRECT_DESC;
        setup.segMax = 30;
        setup.faults = SimulatedFaults.some(seed);
        setup.firstIndex = random.nextInt(65536);
        try (QueueUnderTest guest = setup.open()) {
            for (int round = 0; round < ROUNDS; round++) {
                String where = "seed " + seed + " round " + round;
                for (int i = 0; i < SIZE; i++) {
                    guest.desc(i, address(random), length(random), flags(random), next(random, i));
                }
                for (int i = 0; i < 64; i++) {
                    guest.entry(TABLE, i, address(random), length(random), flags(random), next(random, i));
                }
                for (int i = 0; i < 8; i++) {
                    guest.header(HEAP + i * 64L, random.nextInt(16), random.nextInt(4) == 0 ? random.nextLong() : random.nextInt(8192));
                }
                BitSet offered = new BitSet();
                for (int i = random.nextInt(SIZE); i >= 0; i--) {
                    int head = random.nextInt(SIZE);
                    if (!offered.get(head)) {
                        offered.set(head);
                        guest.offer(head);
                    }
                }
                guest.publish();
                guest.tick();
                List<Used> used = guest.takeUsed();
                assertThat(used).as(where).hasSize(offered.cardinality());
                for (Used one : used) {
                    assertThat(offered.get(one.head())).as(where).isTrue();
                    offered.clear(one.head());
                    assertThat(one.bytes()).as(where).isBetween(0, 1 + (int) QueueUnderTest.DISK_BYTES);
                }
                assertThat(guest.queue.broken()).as(where).isFalse();
                assertThat(guest.foreignAddresses()).as(where).isEmpty();
            }
            assertThat(guest.loop.takeFailures()).isEmpty();
            assertThat(guest.events.malformed.get()).isPositive();
            assertThat(guest.sink().submissions()).as("some of them are requests").isPositive();
        }
    }

    private static long address(SplittableRandom random) {
        return switch (random.nextInt(10)) {
            case 0 -> random.nextLong();
            case 1 -> END - random.nextInt(2048);
            case 2 -> BORDER - random.nextInt(2048);
            case 3 -> TABLE + 16L * random.nextInt(64);
            case 4 -> GUEST + random.nextInt(0x4000) + 0x3000;
            default -> HEAP + 64L * random.nextInt(8);
        };
    }

    private static long length(SplittableRandom random) {
        return switch (random.nextInt(8)) {
            case 0 -> random.nextInt(64);
            case 1 -> random.nextInt() & 0xFFFF_FFFFL;
            case 2, 3 -> 512L * random.nextInt(16);
            case 4 -> 1;
            default -> 16;
        };
    }

    private static int flags(SplittableRandom random) {
        return random.nextInt(40) == 0 ? random.nextInt(65536) : random.nextInt(12) == 0 ? QueueUnderTest.F_INDIRECT : random.nextInt(4);
    }

    private static int next(SplittableRandom random, int index) {
        return switch (random.nextInt(30)) {
            case 0 -> random.nextInt(65536);
            case 1 -> random.nextInt(SIZE);
            default -> index + 1;
        };
    }
}
