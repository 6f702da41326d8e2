package dev.sluice.virtio.queue;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sluice.linux.NativeBlock;
import dev.sluice.linux.NativeMemory;
import dev.sluice.pipeline.BrokenQueueException;
import dev.sluice.virtio.layout.VirtioFeatures;
import dev.sluice.virtio.layout.VirtqAvail;
import dev.sluice.virtio.layout.VirtqUsed;
import java.lang.foreign.ValueLayout;
import java.util.ArrayDeque;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Indexes and notifications against an oracle that counts without ever wrapping around. */
final class SplitRingTest {
    private static final long AVAIL = 0x80000;
    private static final long USED = 0xA0000;
    private static final long BYTES = 0x100000;
    private static final int NONE = -1;
    private static final long PATTERN = 0xA5A5_5A5A_C3C3_3C3CL;

    private final NativeBlock block = NativeMemory.allocate(BYTES, 4096);
    private final GuestMemory memory = new GuestMemory(List.of(new MemoryRegion(0, 0, NativeMemory.view(block.address(), BYTES))));

    @AfterEach
    void free() {
        block.close();
    }

    private final DescriptorChain chain = new DescriptorChain(memory, 1);

    private DeviceRing ring(int size, int base, boolean eventIdx) {
        return DeviceRing.locate(memory, new RingAddresses(0, AVAIL, USED), 0, size, base, features(eventIdx));
    }

    private static long features(boolean eventIdx) {
        return eventIdx ? VirtioFeatures.EVENT_IDX : 0;
    }

    private void offer(int position, int size, int head) {
        VirtqAvail.ring(block.segment(), AVAIL, position & (size - 1), head);
    }

    /** The head of the next chain, or {@link #NONE}. */
    private int next(DeviceRing ring) {
        return ring.fetch(chain) ? chain.id() : NONE;
    }

    private int take(DeviceRing ring) {
        int head = next(ring);
        ring.take();
        return head;
    }

    /** Steps of a driver and a device in random order, far beyond the wrap-around of the 16-bit indexes. */
    @ParameterizedTest
    @CsvSource({"1,256,true", "2,4,true", "3,1,true", "4,32768,true", "5,2,false", "6,64,false"})
    void shouldAgreeWithTheOracleWhenIndexesWrap(long seed, int size, boolean eventIdx) {
        SplittableRandom random = new SplittableRandom(seed);
        long start = 0xFFF0L + random.nextInt(16);
        VirtqAvail.idxRelease(block.segment(), AVAIL, (int) start & 0xFFFF);
        VirtqUsed.idxRelease(block.segment(), USED, (int) start & 0xFFFF);
        DeviceRing ring = ring(size, (int) start, eventIdx);
        ring.start();
        ArrayDeque<Integer> offered = new ArrayDeque<>();
        ArrayDeque<Integer> taken = new ArrayDeque<>();
        ArrayDeque<Integer> free = new ArrayDeque<>();
        for (int head = 0; head < size; head++) {
            free.add(head);
        }
        long availIdx = start;
        long usedIdx = start;
        long callAfter = start;
        boolean anyCall = false;
        boolean callsWanted = true;
        boolean asked = false;
        for (int step = 0; step < 60_000; step++) {
            String where = "seed " + seed + " step " + step;
            switch (random.nextInt(6)) {
                case 0 -> {
                    int room = size - offered.size() - taken.size();
                    for (int i = random.nextInt(Math.min(room, 300) + 1); i > 0; i--) {
                        int head = random.nextBoolean() ? free.removeFirst() : free.removeLast();
                        offer((int) (availIdx++ % size), size, head);
                        offered.add(head);
                    }
                    VirtqAvail.idxRelease(block.segment(), AVAIL, (int) availIdx & 0xFFFF);
                }
                case 1, 2 -> {
                    for (int i = random.nextInt(50); i > 0; i--) {
                        int head = next(ring);
                        assertThat(head).as(where).isEqualTo(offered.isEmpty() ? NONE : offered.peek());
                        if (head == NONE) {
                            break;
                        }
                        ring.take();
                        taken.add(offered.remove());
                    }
                }
                case 3 -> {
                    long before = usedIdx;
                    for (int i = random.nextInt(taken.size() + 1); i > 0; i--) {
                        int head = taken.remove();
                        ring.complete(head, 7);
                        free.add(head);
                        usedIdx++;
                    }
                    if (before == usedIdx) {
                        continue;
                    }
                    boolean call = ring.publish();
                    assertThat(VirtqUsed.idxAcquire(block.segment(), USED)).as(where).isEqualTo((int) usedIdx & 0xFFFF);
                    boolean passed = eventIdx ? !anyCall || (before <= callAfter && callAfter < usedIdx) : callsWanted;
                    assertThat(call).as(where).isEqualTo(passed);
                    anyCall = true;
                }
                case 4 -> {
                    // VIRTIO 1.3 §2.7.7: a call is wanted when the element of that index is used; anywhere near, before or behind.
                    callAfter = usedIdx + random.nextInt(20) - 10;
                    callsWanted = random.nextBoolean();
                    VirtqAvail.usedEvent(block.segment(), AVAIL, size, (int) callAfter & 0xFFFF);
                    VirtqAvail.flags(block.segment(), AVAIL, callsWanted ? 0 : VirtqAvail.F_NO_INTERRUPT);
                }
                default -> {
                    if (random.nextBoolean()) {
                        ring.disableKicks();
                        if (eventIdx && asked) {
                            int next = (int) (availIdx - offered.size()) & 0xFFFF;
                            assertThat(VirtqUsed.availEvent(block.segment(), USED, size)).as("the next head kicks, " + where).isNotEqualTo(next);
                        }
                    } else {
                        asked = true;
                        assertThat(ring.enableKicks()).as(where).isEqualTo(!offered.isEmpty());
                        long lastTaken = availIdx - offered.size();
                        if (eventIdx) {
                            assertThat(VirtqUsed.availEvent(block.segment(), USED, size)).as(where).isEqualTo((int) lastTaken & 0xFFFF);
                        } else {
                            assertThat(VirtqUsed.flags(block.segment(), USED)).as(where).isZero();
                        }
                    }
                }
            }
        }
        assertThat(availIdx).isGreaterThan(start + (size > 8 ? 0x10000 : size));
    }

    @Test
    void shouldBeRefusedWhenAnAreaIsNotInOneRegionOrTheSizeIsImpossible() {
        for (int size : new int[] {0, 3, -1, 65536, Integer.MIN_VALUE}) {
            assertThatThrownBy(() -> ring(size, 0, true)).isInstanceOf(IllegalArgumentException.class).hasMessageContaining("size");
        }
        assertThatThrownBy(() -> DeviceRing.locate(memory, new RingAddresses(BYTES - 16, AVAIL, USED), 0, 2, 0, features(true)))
                .hasMessageContaining("descriptor table");
        assertThatThrownBy(() -> DeviceRing.locate(memory, new RingAddresses(0, BYTES - 8, USED), 0, 2, 0, features(true)))
                .hasMessageContaining("available ring");
        assertThatThrownBy(() -> DeviceRing.locate(memory, new RingAddresses(0, AVAIL, -4), 0, 2, 0, features(true))).hasMessageContaining("used ring");
    }

    private static long availBytes(int size) {
        return 4 + 2L * size;
    }

    private static long usedBytes(int size) {
        return 4 + 8L * size;
    }

    /** VIRTIO 1.3 §2.7.6, §2.7.8: the event words are there only if EVENT_IDX was negotiated; SeaBIOS keeps its ring's size in that place. */
    @ParameterizedTest
    @ValueSource(ints = {1, 16, 256, 1024})
    void shouldLeaveWhatIsBehindTheRingsAloneWhenEventIdxWasNotNegotiated(int size) {
        long behindAvail = AVAIL + availBytes(size);
        long behindUsed = USED + usedBytes(size);
        block.segment().set(ValueLayout.JAVA_LONG_UNALIGNED, behindAvail, PATTERN);
        block.segment().set(ValueLayout.JAVA_LONG_UNALIGNED, behindUsed, PATTERN);
        DeviceRing ring = ring(size, 0, false);
        ring.start();
        for (int i = 0; i < 3 * size; i++) {
            VirtqAvail.ring(block.segment(), AVAIL, i % size, 0);
            VirtqAvail.idxRelease(block.segment(), AVAIL, i + 1);
            ring.disableKicks();
            assertThat(take(ring)).isZero();
            assertThat(ring.enableKicks()).isFalse();
            ring.complete(0, 1);
            // used_event, if it were read, would want none.
            assertThat(ring.publish()).isTrue();
        }
        assertThat(block.segment().get(ValueLayout.JAVA_LONG_UNALIGNED, behindAvail)).isEqualTo(PATTERN);
        assertThat(block.segment().get(ValueLayout.JAVA_LONG_UNALIGNED, behindUsed)).isEqualTo(PATTERN);
    }

    @ParameterizedTest
    @ValueSource(ints = {2, 16, 1024})
    void shouldBeFoundAtTheVeryEndOfARegionWhenEventIdxWasNotNegotiated(int size) {
        RingAddresses availAtEnd = new RingAddresses(0, BYTES - availBytes(size), USED);
        RingAddresses usedAtEnd = new RingAddresses(0, AVAIL, BYTES - usedBytes(size));
        for (RingAddresses atEnd : List.of(availAtEnd, usedAtEnd)) {
            DeviceRing ring = DeviceRing.locate(memory, atEnd, 0, size, 0, features(false));
            VirtqAvail.idxRelease(block.segment(), atEnd.avail(), 1);
            ring.start();
            ring.complete(take(ring), 1);
            assertThat(ring.publish()).isTrue();
            assertThat(ring.enableKicks()).isFalse();
            assertThatThrownBy(() -> DeviceRing.locate(memory, atEnd, 0, size, 0, features(true))).hasMessageContaining("is not in one memory region");
        }
    }

    /** A back end that was killed may have left NO_NOTIFY there: a driver that believes it never kicks. */
    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void shouldAskForKicksWhenItStartsWhateverWasThere(boolean eventIdx) {
        VirtqUsed.flags(block.segment(), USED, VirtqUsed.F_NO_NOTIFY);
        VirtqUsed.availEvent(block.segment(), USED, 16, 77);
        VirtqUsed.idxRelease(block.segment(), USED, 5);
        DeviceRing ring = ring(16, 9, eventIdx);
        ring.start();
        assertThat(VirtqUsed.flags(block.segment(), USED)).isZero();
        assertThat(VirtqUsed.availEvent(block.segment(), USED, 16)).isEqualTo(eventIdx ? 9 : 77);
    }

    @Test
    void shouldServeARingThatTheDriverHasFilledAndNoFuller() {
        DeviceRing ring = ring(16, 9, true);
        ring.start();
        for (int i = 0; i < 16; i++) {
            offer(9 + i, 16, 15 - i);
        }
        VirtqAvail.idxRelease(block.segment(), AVAIL, 9 + 16);
        assertThat(ring.hasNext()).isTrue();
        for (int i = 0; i < 16; i++) {
            assertThat(take(ring)).isEqualTo(15 - i);
        }
        assertThat(ring.hasNext()).isFalse();
        VirtqAvail.idxRelease(block.segment(), AVAIL, 9 + 16 + 17);
        assertThatThrownBy(() -> next(ring)).isInstanceOf(BrokenQueueException.class).hasMessageContaining("more than the ring's 16");
    }

    @Test
    void shouldBreakWhenAHeadIsTheFirstBeyondTheRing() {
        DeviceRing ring = ring(16, 0, true);
        ring.start();
        VirtqAvail.ring(block.segment(), AVAIL, 0, 16);
        VirtqAvail.idxRelease(block.segment(), AVAIL, 1);
        assertThatThrownBy(() -> next(ring)).isInstanceOf(BrokenQueueException.class).hasMessageContaining("head 16 is beyond the ring's 16");
    }

    /** A ring in memory that a process has mapped at an odd address is refused, not accessed. */
    @Test
    void shouldBeRefusedWhenAnAreaIsMappedWhereItIsNotAligned() {
        RingAddresses rings = new RingAddresses(0, 0x1000, 0x2000);
        for (int off : new int[] {1, 2, 4, 8}) {
            GuestMemory odd = new GuestMemory(List.of(new MemoryRegion(0, 0, NativeMemory.view(block.address() + off, 0x3000))));
            assertThatThrownBy(() -> DeviceRing.locate(odd, rings, 0, 2, 0, features(false)))
                    .hasMessage("descriptor table at 0x0 is mapped where it is not aligned to 16");
        }
        GuestMemory apart = new GuestMemory(List.of(
                new MemoryRegion(0, 0, NativeMemory.view(block.address(), 0x1000)),
                new MemoryRegion(0x1000, 0x1000, NativeMemory.view(block.address() + 0x1000, 0x1000)),
                new MemoryRegion(0x2000, 0x2000, NativeMemory.view(block.address() + 0x2002, 0x1000))));
        assertThatThrownBy(() -> DeviceRing.locate(apart, rings, 0, 2, 0, features(false)))
                .hasMessage("used ring at 0x2000 is mapped where it is not aligned to 4");
    }

    /** VIRTIO 1.3 §2.7.10.1: flags are 0 with EVENT_IDX, and ask for kicks without. */
    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void shouldContinueWhereTheUsedRingHasStopped(boolean eventIdx) {
        VirtqUsed.idxRelease(block.segment(), USED, 0xFFFE);
        VirtqUsed.flags(block.segment(), USED, VirtqUsed.F_NO_NOTIFY);
        VirtqUsed.availEvent(block.segment(), USED, 8, 0x5A5A);
        VirtqAvail.idxRelease(block.segment(), AVAIL, 0x1235);
        VirtqAvail.ring(block.segment(), AVAIL, 0x1234 % 8, 6);
        DeviceRing ring = ring(8, 0xABC1_1234, eventIdx);
        assertThat(ring.size()).isEqualTo(8);
        assertThat(ring.position()).isEqualTo(0x1234);
        ring.start();
        assertThat(VirtqUsed.flags(block.segment(), USED)).isZero();
        assertThat(VirtqUsed.availEvent(block.segment(), USED, 8)).isEqualTo(eventIdx ? 0x1234 : 0x5A5A);
        assertThat(ring.hasNext()).isTrue();
        assertThat(next(ring)).isEqualTo(6);
        assertThat(next(ring)).as("stays next").isEqualTo(6);
        assertThat(ring.hasNext()).isTrue();
        ring.take();
        assertThat(ring.position()).isEqualTo(0x1235);
        assertThat(ring.hasNext()).isFalse();
        assertThat(next(ring)).isEqualTo(NONE);
        offer(0x1235, 8, 3);
        VirtqAvail.idxRelease(block.segment(), AVAIL, 0x1236);
        assertThat(take(ring)).isEqualTo(3);
        ring.complete(6, 0x7FFF_F001);
        ring.complete(3, 1);
        assertThat(VirtqUsed.idxAcquire(block.segment(), USED)).as("not before it is published").isEqualTo(0xFFFE);
        assertThat(ring.publish()).isTrue();
        assertThat(VirtqUsed.idxAcquire(block.segment(), USED)).isZero();
        assertThat(VirtqUsed.elementId(block.segment(), USED, 6)).isEqualTo(6);
        assertThat(VirtqUsed.elementLen(block.segment(), USED, 6)).isEqualTo(0x7FFF_F001);
        assertThat(VirtqUsed.elementId(block.segment(), USED, 7)).isEqualTo(3);
    }

    /** VIRTIO 1.3 §2.7.6: a driver makes no more available than the ring has entries, and no head beyond it. */
    @ParameterizedTest
    @CsvSource({"0, 8, -1", "0xFFFC, 4, -1", "0xFFFC, 5, 9", "0, 9, 9", "100, 99, 0xFFFF", "0, 0xFFFF, 0xFFFF"})
    void shouldBreakWhenTheAvailableIndexJumps(String last, String idx, String pending) {
        VirtqAvail.idxRelease(block.segment(), AVAIL, Integer.decode(idx));
        DeviceRing ring = DeviceRing.locate(memory, new RingAddresses(0, AVAIL, USED), 5, 8, Integer.decode(last), features(true));
        if (Integer.decode(pending) < 0) {
            assertThat(next(ring)).isZero();
        } else {
            assertThat(ring.hasNext()).as("something to see").isTrue();
            assertThatThrownBy(() -> next(ring))
                    .isInstanceOf(BrokenQueueException.class)
                    .hasMessageContaining("VIRTIO 1.3 §2.7.6: avail idx went from " + Integer.decode(last) + " to " + Integer.decode(idx))
                    .hasMessageContaining("more than the ring's 8")
                    .hasMessageContaining("queue 5");
        }
    }

    /** The index is read once for what it makes available, and validated once: a store to it takes the cache line each time. */
    @Test
    void shouldTakeWhatItHasSeenBeforeItReadsTheIndexAgain() {
        DeviceRing ring = ring(8, 0, true);
        for (int i = 0; i < 3; i++) {
            offer(i, 8, i);
        }
        VirtqAvail.idxRelease(block.segment(), AVAIL, 3);
        assertThat(take(ring)).isZero();
        int head = 1;
        for (int idx : new int[] {1, 100}) {
            VirtqAvail.idxRelease(block.segment(), AVAIL, idx);
            assertThat(ring.hasNext()).isTrue();
            assertThat(take(ring)).isEqualTo(head++);
        }
        assertThatThrownBy(() -> next(ring)).isInstanceOf(BrokenQueueException.class);
    }

    @Test
    void shouldBreakWhenAHeadIsBeyondTheRing() {
        DeviceRing ring = ring(8, 0, true);
        VirtqAvail.idxRelease(block.segment(), AVAIL, 1);
        for (int head : new int[] {8, 9, 0x7FFF, 0x8000, 0xFFFF}) {
            VirtqAvail.ring(block.segment(), AVAIL, 0, head);
            assertThatThrownBy(() -> next(ring)).isInstanceOf(BrokenQueueException.class).hasMessageContaining("head " + head + " is beyond the ring's 8");
        }
        VirtqAvail.ring(block.segment(), AVAIL, 0, 7);
        assertThat(next(ring)).isEqualTo(7);
    }

    /** A store to the used ring's flags takes the cache line from the driver: there is one where they change, and none else. */
    @Test
    void shouldSwitchKicksByFlagsWhenEventIdxWasNotNegotiated() {
        DeviceRing ring = ring(8, 0, false);
        ring.start();
        for (int i = 0; i < 3; i++) {
            ring.disableKicks();
            assertThat(VirtqUsed.flags(block.segment(), USED)).isEqualTo(VirtqUsed.F_NO_NOTIFY);
            VirtqUsed.flags(block.segment(), USED, 0x40);
            ring.disableKicks();
            assertThat(VirtqUsed.flags(block.segment(), USED)).isEqualTo(0x40);
            assertThat(ring.enableKicks()).isFalse();
            assertThat(VirtqUsed.flags(block.segment(), USED)).isZero();
            VirtqUsed.flags(block.segment(), USED, 0x40);
            assertThat(ring.enableKicks()).isFalse();
            assertThat(VirtqUsed.flags(block.segment(), USED)).isEqualTo(0x40);
        }
        VirtqAvail.idxRelease(block.segment(), AVAIL, 1);
        assertThat(ring.enableKicks()).isTrue();
    }

    /** VIRTIO 1.3 §2.7.10: the driver kicks when it passes avail_event. That is moved out of the way only where the next head would pass it. */
    @Test
    void shouldSwitchKicksByAvailEventWhenEventIdxWasNegotiated() {
        DeviceRing ring = ring(8, 0, true);
        ring.start();
        assertThat(ring.enableKicks()).isFalse();
        assertThat(availEvent()).isZero();
        ring.disableKicks();
        assertThat(availEvent()).isEqualTo(0xFFFF);
        assertThat(ring.enableKicks()).isFalse();
        for (int i = 0; i < 3; i++) {
            offer(i, 8, i);
        }
        VirtqAvail.idxRelease(block.segment(), AVAIL, 3);
        assertThat(take(ring)).isZero();
        assertThat(take(ring)).isEqualTo(1);
        ring.disableKicks();
        assertThat(availEvent()).as("behind: may stay").isZero();
        assertThat(ring.enableKicks()).isTrue();
        assertThat(availEvent()).isEqualTo(2);
        assertThat(take(ring)).isEqualTo(2);
        assertThat(ring.enableKicks()).isFalse();
        assertThat(VirtqUsed.flags(block.segment(), USED)).isZero();
    }

    /** Chain 0 becomes available, the ring's n-th, and is used. */
    private void complete(DeviceRing ring, int n) {
        VirtqAvail.idxRelease(block.segment(), AVAIL, n + 1);
        assertThat(take(ring)).isZero();
        ring.complete(0, 1);
    }

    /** VIRTIO 1.3 §2.7.13. A chain is the device's from being taken to being published, and stays available until it is taken. */
    @Test
    void shouldBreakWhenAChainIsMadeAvailableBeforeItWasShownAsUsed() {
        DeviceRing ring = ring(8, 0, true);
        ring.start();
        offer(0, 8, 5);
        offer(1, 8, 5);
        VirtqAvail.idxRelease(block.segment(), AVAIL, 2);
        assertThat(next(ring)).isEqualTo(5);
        assertThat(take(ring)).as("stays next").isEqualTo(5);
        String twice = "VIRTIO 1.3 §2.7.13: head 5 was made available while it is in flight";
        assertThatThrownBy(() -> next(ring)).isInstanceOf(BrokenQueueException.class).hasMessageContaining(twice);
        ring.complete(5, 1);
        assertThatThrownBy(() -> next(ring)).isInstanceOf(BrokenQueueException.class).hasMessageContaining(twice);
        assertThat(ring.position()).isEqualTo(1);
        boolean _ = ring.publish();
        assertThat(take(ring)).isEqualTo(5);
    }

    private int availEvent() {
        return VirtqUsed.availEvent(block.segment(), USED, 8);
    }

    /** VIRTIO 1.3 §2.7.7. */
    @Test
    void shouldWantACallForTheFirstPublicationAndThenWhereUsedEventIsPassed() {
        DeviceRing ring = ring(8, 0, true);
        ring.start();
        VirtqAvail.usedEvent(block.segment(), AVAIL, 8, 2);
        boolean[] wanted = {true, false, true, false};
        for (int i = 0; i < wanted.length; i++) {
            boolean call = wanted[i];
            complete(ring, i);
            assertThat(ring.publish()).isEqualTo(call);
        }
        DeviceRing without = ring(8, 0, false);
        without.start();
        for (int flags : new int[] {0, 1, 2, 3}) {
            VirtqAvail.flags(block.segment(), AVAIL, flags);
            complete(without, flags);
            assertThat(without.publish()).isEqualTo((flags & VirtqAvail.F_NO_INTERRUPT) == 0);
        }
    }

    @Test
    void shouldFindTheRegionOfEveryAddressWhenMapsAreRandom() {
        SplittableRandom random = new SplittableRandom(17);
        for (int round = 0; round < 200; round++) {
            java.util.ArrayList<MemoryRegion> regions = new java.util.ArrayList<>();
            long at = round % 2 == 0 ? 0 : Long.MIN_VALUE - 0x10000;
            for (int i = 0; i < 1 + random.nextInt(20); i++) {
                at += random.nextInt(3) * 0x1000L;
                long size = 0x1000L * (1 + random.nextInt(4));
                regions.add(new MemoryRegion(at, at + 0x123000, NativeMemory.view(block.address(), size)));
                at += size;
            }
            java.util.Collections.shuffle(regions, new java.util.Random(round));
            GuestMemory map = new GuestMemory(regions);
            GuestMemory.Cursor cursor = new GuestMemory.Cursor(map);
            for (int probe = 0; probe < 200; probe++) {
                long address = at - random.nextInt(0x40000);
                MemoryRegion expected = regions.stream()
                        .filter(r -> address - r.guestAddress() >= 0 && address - r.guestAddress() < r.sizeBytes())
                        .findFirst()
                        .orElse(null);
                assertThat(cursor.regionOf(address)).as("round %d address %x", round, address).isSameAs(expected);
            }
        }
    }
}
