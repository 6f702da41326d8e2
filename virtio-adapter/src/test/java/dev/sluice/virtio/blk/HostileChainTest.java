package dev.sluice.virtio.blk;

import static dev.sluice.virtio.blk.QueueUnderTest.BORDER;
import static dev.sluice.virtio.blk.QueueUnderTest.END;
import static dev.sluice.virtio.blk.QueueUnderTest.F_INDIRECT;
import static dev.sluice.virtio.blk.QueueUnderTest.F_NEXT;
import static dev.sluice.virtio.blk.QueueUnderTest.F_WRITE;
import static dev.sluice.virtio.blk.QueueUnderTest.HEAP;
import static dev.sluice.virtio.blk.QueueUnderTest.SIZE;
import static dev.sluice.virtio.blk.QueueUnderTest.STATUS_UNTOUCHED;
import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.linux.Errno;
import dev.sluice.pipeline.BlockGeometry;
import dev.sluice.pipeline.testing.SimulatedFaults;
import dev.sluice.virtio.blk.QueueUnderTest.Used;
import dev.sluice.virtio.layout.VirtioBlkDiscardSegment;
import dev.sluice.virtio.layout.VirtioFeatures;
import java.io.IOException;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Every class of fault that a guest can trigger: the request fails, or the queue does, and a good request afterwards still works. */
final class HostileChainTest {
    private static final int IN = 0;
    private static final int OUT = 1;
    private static final int DISCARD = 11;
    private static final int WRITE_ZEROES = 13;
    private static final byte OK = 0;
    private static final byte IOERR = 1;
    private static final byte UNSUPP = 2;
    private static final long DATA = HEAP + 0x10000;
    private static final long TABLE = HEAP + 0x8000;

    private QueueUnderTest guest;

    HostileChainTest() throws IOException {
        guest = QueueUnderTest.open();
    }

    @BeforeEach
    void nothingSeen() {
        assertThat(guest.events.malformed.get()).isZero();
    }

    /** Whatever happened before, the queue serves a good request; unless it was broken. */
    @AfterEach
    void shouldGoOn() {
        if (!guest.queue.broken()) {
            long status = guest.plain(40, IN, 0, DATA, 512);
            assertThat(guest.run(40)).isEqualTo(new Used(40, 513));
            assertThat(guest.peek(status)).isEqualTo(OK);
        }
        assertThat(guest.foreignAddresses()).isEmpty();
        guest.close();
    }

    private void assertMalformed(Used used, int head, int bytes) {
        assertThat(used).isEqualTo(new Used(head, bytes));
        assertThat(guest.events.malformed.get()).isEqualTo(1);
    }

    private void assertFailsWithStatus(int head, long statusAddress, byte status) {
        assertThat(guest.run(head)).isEqualTo(new Used(head, 1));
        assertThat(guest.peek(statusAddress)).isEqualTo(status);
    }

    private void assertBroken() {
        guest.tick();
        assertThat(guest.queue.broken()).isTrue();
        assertThat(guest.errSignalled()).isTrue();
        assertThat(guest.device.needsReset()).isTrue();
        assertThat(guest.events.broken.get()).isEqualTo(1);
        assertThat(guest.loop.takeFailures()).isEmpty();
    }

    // ---- chains

    @Test
    void shouldCompleteTheHeadWithLengthZeroWhenDescriptorsLoop() {
        guest.plain(0, IN, 0, DATA, 512);
        guest.desc(2, DATA, 512, F_WRITE | F_NEXT, 1);
        assertMalformed(guest.run(0), 0, 0);
    }

    @Test
    void shouldCompleteTheHeadWithLengthZeroWhenADescriptorPointsToItself() {
        guest.desc(0, DATA, 0, F_NEXT, 0);
        assertMalformed(guest.run(0), 0, 0);
    }

    @Test
    void shouldCompleteTheHeadWithLengthZeroWhenNextIsOutOfRange() {
        guest.plain(0, IN, 0, DATA, 512);
        guest.desc(1, DATA, 512, F_WRITE | F_NEXT, SIZE);
        assertMalformed(guest.run(0), 0, 0);
    }

    @Test
    void shouldCompleteTheHeadWithLengthZeroWhenThereIsNoWritableByte() {
        guest.header(HEAP, IN, 0);
        guest.desc(0, HEAP, 16, 0, 0);
        assertMalformed(guest.run(0), 0, 0);
    }

    @Test
    void shouldFailWhenTheHeaderIsShort() {
        guest.poke(HEAP + 16, STATUS_UNTOUCHED);
        guest.desc(0, HEAP, 15, F_NEXT, 1);
        guest.desc(1, HEAP + 16, 1, F_WRITE, 0);
        assertFailsWithStatus(0, HEAP + 16, IOERR);
        assertThat(guest.events.malformed.get()).isEqualTo(1);
    }

    @Test
    void shouldFailWhenAReadableBufferFollowsAWritableOne() {
        long status = guest.plain(0, IN, 0, DATA, 512);
        guest.desc(1, DATA, 512, F_WRITE | F_NEXT, 3);
        guest.desc(3, DATA, 512, F_NEXT, 2);
        assertFailsWithStatus(0, status, IOERR);
        assertThat(guest.events.malformed.get()).isEqualTo(1);
    }

    @Test
    void shouldFailWhenABufferIsOutsideMemory() {
        for (long address : new long[] {0, HEAP - 0x1_0000_0000L, END, END - 511, -512, Long.MIN_VALUE}) {
            long status = guest.plain(0, IN, 0, address, 512);
            assertFailsWithStatus(0, status, IOERR);
        }
        assertThat(guest.events.malformed.get()).isEqualTo(6);
    }

    @Test
    void shouldFailWhenAddressAndLengthWrap() {
        long status = guest.plain(0, IN, 0, -256, 512);
        assertFailsWithStatus(0, status, IOERR);
        status = guest.plain(0, OUT, 0, HEAP, 0xFFFF_FFFFL);
        assertFailsWithStatus(0, status, IOERR);
    }

    @Test
    void shouldCompleteTheHeadWithLengthZeroWhenTheStatusIsOutsideMemory() {
        guest.plain(0, IN, 0, DATA, 512);
        guest.desc(2, END, 1, F_WRITE, 0);
        assertMalformed(guest.run(0), 0, 0);
    }

    @Test
    void shouldFailWhenTheHeaderIsOutsideMemory() {
        long status = guest.plain(0, IN, 0, DATA, 512);
        guest.desc(0, END - 8, 16, F_NEXT, 1);
        assertFailsWithStatus(0, status, IOERR);
    }

    /** seg_max is what a driver is told; what comes all the same is served as far as a system call takes it. */
    @Test
    void shouldFailWhenThereAreMoreSegmentsThanAreServed() throws IOException {
        try (QueueUnderTest narrow = QueueUnderTest.open(VirtioFeatures.VERSION_1 | VirtioFeatures.INDIRECT_DESC, 4)) {
            for (int segments : new int[] {1, 4, 5, 8, 9, 22, 23, 126, 127, 129, 1023, 1024, 1025, 1026, 1100, 4000}) {
                long status = indirect(narrow, 0, segments);
                boolean served = segments <= 1024;
                assertThat(narrow.run(0)).as(segments + " segments").isEqualTo(new Used(0, served ? segments * 512 + 1 : 1));
                assertThat(narrow.peek(status)).as(segments + " segments").isEqualTo(served ? OK : IOERR);
            }
            assertThat(narrow.foreignAddresses()).isEmpty();
        }
    }

    /** A read of so many sectors, each to the same place, through a table longer than the ring. */
    private static long indirect(QueueUnderTest ring, int head, int segments) {
        long table = HEAP + 0x40000;
        long status = HEAP + 0x100;
        ring.header(HEAP, IN, 0);
        ring.poke(status, STATUS_UNTOUCHED);
        ring.desc(head, table, 16L * (segments + 2), F_INDIRECT, 0);
        ring.entry(table, 0, HEAP, 16, F_NEXT, 1);
        for (int i = 1; i <= segments; i++) {
            ring.entry(table, i, DATA, 512, F_WRITE | F_NEXT, i + 1);
        }
        ring.entry(table, segments + 1, status, 1, F_WRITE, 0);
        return status;
    }

    /** A request that has ended has no iovecs; the queue says so when it is closed. */
    @Test
    void shouldGiveIovecsBackWhenALaterBufferIsOutsideMemory() throws IOException {
        try (QueueUnderTest closed = QueueUnderTest.open()) {
            for (int round = 0; round <= 2 * QueueUnderTest.LARGE_REQUESTS; round++) {
                long status = indirect(closed, 0, 40);
                assertThat(closed.run(0)).isEqualTo(new Used(0, 40 * 512 + 1));
                // The last of its data.
                closed.entry(HEAP + 0x40000, 40, END, 512, F_WRITE | F_NEXT, 41);
                closed.poke(status, STATUS_UNTOUCHED);
                assertThat(closed.run(0)).as("round " + round).isEqualTo(new Used(0, 1));
                assertThat(closed.peek(status)).isEqualTo(IOERR);
            }
        }
    }

    @Test
    void shouldGiveIovecsBackWhenThereAreTooManySegments() throws IOException {
        try (QueueUnderTest closed = QueueUnderTest.open()) {
            long _ = indirect(closed, 0, 1024);
            assertThat(closed.run(0)).isEqualTo(new Used(0, 1024 * 512 + 1));
            long _ = indirect(closed, 0, 1025);
            assertThat(closed.run(0)).isEqualTo(new Used(0, 1));
        }
    }

    /** A header of sixteen buffers, the most that it can have, beside all the segments that there may be. */
    @Test
    void shouldServeTheMostSegmentsBehindAHeaderOfSingleBytes() {
        long table = HEAP + 0x40000;
        long status = HEAP + 0x100;
        guest.header(HEAP, IN, 0);
        for (int i = 0; i < 16; i++) {
            guest.entry(table, i, HEAP + i, 1, F_NEXT, i + 1);
        }
        for (int i = 16; i < 16 + 1024; i++) {
            guest.entry(table, i, DATA, 512, F_WRITE | F_NEXT, i + 1);
        }
        guest.entry(table, 16 + 1024, status, 1, F_WRITE, 0);
        guest.desc(0, table, 16L * (16 + 1024 + 1), F_INDIRECT, 0);
        assertThat(guest.run(0)).isEqualTo(new Used(0, 1024 * 512 + 1));
        assertThat(guest.peek(status)).isEqualTo(OK);
    }

    @Test
    void shouldReadATableThatEndsWithItsRegion() {
        long table = BORDER - 48;
        guest.header(HEAP, IN, 0);
        guest.entry(table, 0, HEAP, 16, F_NEXT, 1);
        guest.entry(table, 1, DATA, 512, F_WRITE | F_NEXT, 2);
        guest.entry(table, 2, HEAP + 0x100, 1, F_WRITE, 0);
        guest.desc(0, table, 48, F_INDIRECT, 0);
        assertThat(guest.run(0)).isEqualTo(new Used(0, 513));
    }

    /** Readable buffers behind the header of a READ are none of its data. */
    @Test
    void shouldReadIntoTheWritableBuffersAloneWhenReadableOnesFollowTheHeader() {
        long written = DATA + 0x2000;
        long extra = DATA + 0x4000;
        for (int i = 0; i < 512; i++) {
            guest.poke(written + i, (byte) (i * 7));
            guest.poke(extra + i, (byte) 0x77);
            guest.poke(DATA + i, (byte) 0x55);
        }
        long _ = guest.plain(8, OUT, 2, written, 512);
        assertThat(guest.run(8)).isEqualTo(new Used(8, 1));
        long status = guest.plain(0, IN, 2, DATA, 512);
        guest.desc(0, HEAP, 16, F_NEXT, 20);
        guest.desc(20, extra, 100, F_NEXT, 21);
        guest.desc(21, extra + 100, 412, F_NEXT, 1);
        assertThat(guest.run(0)).isEqualTo(new Used(0, 513));
        assertThat(guest.peek(status)).isEqualTo(OK);
        for (int i = 0; i < 512; i++) {
            assertThat(guest.peek(DATA + i)).as("data " + i).isEqualTo((byte) (i * 7));
            assertThat(guest.peek(extra + i)).as("extra " + i).isEqualTo((byte) 0x77);
        }
        assertThat(guest.foreignAddresses()).isEmpty();
    }

    @Test
    void shouldWaitForTheLargestIovecsWhenMoreRequestsWantThemThanThereAre() {
        guest.sink().hold();
        for (int head = 0; head < 4; head++) {
            long _ = indirect(guest, head, 1024);
            guest.offer(head);
        }
        guest.publish();
        guest.tick();
        assertThat(guest.queue.inFlight()).isEqualTo(1);
        // Neither spinning nor lost: each one that ends makes room for the next.
        for (int left = 4; left > 0; left--) {
            assertThat(guest.queue.inFlight()).isEqualTo(1);
            guest.sink().release(guest.sink().held().getFirst());
            int _ = guest.loop.tickUntilIdle();
            assertThat(guest.takeUsed()).containsExactly(new Used(4 - left, 1024 * 512 + 1));
        }
        guest.sink().releaseAll();
    }

    // ---- indirect tables

    @Test
    void shouldCompleteTheHeadWithLengthZeroWhenAnIndirectTableIsImpossible() {
        // Good but for its length: where that were not looked at, it would be read.
        goodTable(guest);
        guest.desc(0, TABLE, 48, F_INDIRECT, 0);
        assertThat(guest.run(0)).isEqualTo(new Used(0, 513));
        int expected = 0;
        for (long length : new long[] {0, 8, 47, 49, 56, 63, 0xFFFF_FFF0L}) {
            guest.desc(0, TABLE, length, F_INDIRECT, 0);
            assertThat(guest.run(0)).as(length + " bytes").isEqualTo(new Used(0, 0));
            assertThat(guest.events.malformed.get()).isEqualTo(++expected);
        }
        // Begins inside memory, or in one region, and ends in another: a table is never split.
        for (long address : new long[] {END - 16, BORDER - 16, 0, -32}) {
            guest.desc(0, address, 48, F_INDIRECT, 0);
            assertThat(guest.run(0)).isEqualTo(new Used(0, 0));
            assertThat(guest.events.malformed.get()).isEqualTo(++expected);
        }
    }

    /** A read of one sector, in a table of three. */
    private static void goodTable(QueueUnderTest ring) {
        ring.header(HEAP, IN, 0);
        ring.entry(TABLE, 0, HEAP, 16, F_NEXT, 1);
        ring.entry(TABLE, 1, DATA, 512, F_WRITE | F_NEXT, 2);
        ring.entry(TABLE, 2, HEAP + 0x100, 1, F_WRITE, 0);
    }

    @Test
    void shouldCompleteTheHeadWithLengthZeroWhenAnIndirectTableIsNested() {
        goodTable(guest);
        guest.desc(0, TABLE + 0x100, 16, F_INDIRECT, 0);
        guest.entry(TABLE + 0x100, 0, TABLE, 48, F_INDIRECT, 0);
        assertMalformed(guest.run(0), 0, 0);
    }

    @Test
    void shouldCompleteTheHeadWithLengthZeroWhenAnIndirectDescriptorHasANextOne() {
        guest.plain(0, IN, 0, DATA, 512);
        goodTable(guest);
        guest.desc(0, TABLE, 48, F_INDIRECT | F_NEXT, 1);
        assertMalformed(guest.run(0), 0, 0);
    }

    @Test
    void shouldCompleteTheHeadWithLengthZeroWhenNextLeavesTheIndirectTable() {
        goodTable(guest);
        guest.entry(TABLE, 1, DATA, 512, F_WRITE | F_NEXT, 3);
        guest.entry(TABLE, 3, HEAP + 0x100, 1, F_WRITE, 0);
        guest.desc(0, TABLE, 48, F_INDIRECT, 0);
        assertMalformed(guest.run(0), 0, 0);
    }

    @Test
    void shouldCompleteTheHeadWithLengthZeroWhenAnIndirectTableLoops() {
        guest.desc(0, TABLE, 16 * 4096, F_INDIRECT, 0);
        guest.entry(TABLE, 0, HEAP, 16, F_NEXT, 0);
        assertMalformed(guest.run(0), 0, 0);
    }

    @Test
    void shouldCompleteTheHeadWithLengthZeroWhenIndirectWasNotNegotiated() throws IOException {
        try (QueueUnderTest direct = QueueUnderTest.open(VirtioFeatures.VERSION_1, 126)) {
            goodTable(direct);
            direct.poke(HEAP + 0x100, STATUS_UNTOUCHED);
            direct.desc(0, TABLE, 48, F_INDIRECT, 0);
            assertThat(direct.run(0)).isEqualTo(new Used(0, 0));
            assertThat(direct.peek(HEAP + 0x100)).isEqualTo(STATUS_UNTOUCHED);
        }
    }

    // ---- requests

    @Test
    void shouldFailWhenATransferIsNoMultipleOf512() {
        assertFailsWithStatus(0, guest.plain(0, IN, 0, DATA, 511), IOERR);
        assertFailsWithStatus(0, guest.plain(0, OUT, 0, DATA, 513), IOERR);
    }

    @Test
    void shouldFailWhenATransferEndsBeyondTheDisk() {
        long sectors = QueueUnderTest.DISK_BYTES / 512;
        for (long sector : new long[] {sectors, sectors - 1, Long.MAX_VALUE, -1, -2, Long.MIN_VALUE, -sectors}) {
            assertFailsWithStatus(0, guest.plain(0, IN, sector, DATA, 1024), IOERR);
            assertFailsWithStatus(0, guest.plain(0, OUT, sector, DATA, 1024), IOERR);
        }
        assertThat(guest.run(lastSector())).isEqualTo(new Used(0, 513));
    }

    private int lastSector() {
        guest.plain(0, IN, QueueUnderTest.DISK_BYTES / 512 - 1, DATA, 512);
        return 0;
    }

    @Test
    void shouldAnswerUnsupportedWhenTheTypeIsUnknown() {
        for (int type : new int[] {2, 3, 5, 10, 14, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF, 256}) {
            assertFailsWithStatus(0, guest.plain(0, type, 0, DATA, 512), UNSUPP);
        }
    }

    @Test
    void shouldFailChangesWhenTheDiskIsReadOnly() throws IOException {
        QueueUnderTest.Setup setup = new QueueUnderTest.Setup();
        setup.features = VirtioFeatures.VERSION_1;
        setup.geometry = new BlockGeometry(QueueUnderTest.DISK_BYTES, 512, 512, 0, true, false, false);
        QueueUnderTest readOnly = setup.open();
        long status = readOnly.plain(0, OUT, 0, DATA, 512);
        assertThat(readOnly.run(0)).isEqualTo(new Used(0, 1));
        assertThat(readOnly.peek(status)).isEqualTo(IOERR);
        readOnly.close();
    }

    @Test
    void shouldTellOfRequestsThatNobodyElseSees() {
        long disk = QueueUnderTest.DISK_BYTES / 512;
        guest.plain(0, IN, disk, DATA, 512);
        assertThat(guest.run(0)).isEqualTo(new Used(0, 1));
        guest.plain(0, IN, 0, DATA, 511);
        assertThat(guest.run(0)).isEqualTo(new Used(0, 1));
        guest.plain(0, OUT, 0, DATA, 0);
        assertThat(guest.run(0)).isEqualTo(new Used(0, 1));
        range(DISCARD, 32, 0, 8, 0);
        assertThat(guest.run(0)).isEqualTo(new Used(0, 1));
        assertThat(guest.events.completed).isEqualTo(Map.of(0, 1L, Errno.EINVAL, 2L, Errno.EOPNOTSUPP, 1L));
        // What nobody knows is no request of any kind.
        guest.plain(0, 3, 0, DATA, 512);
        assertThat(guest.run(0)).isEqualTo(new Used(0, 1));
        assertThat(guest.events.completed).isEqualTo(Map.of(0, 1L, Errno.EINVAL, 2L, Errno.EOPNOTSUPP, 1L));
        // What broke a rule is no request: it is counted as what it is.
        guest.desc(0, DATA, 0, F_NEXT, 0);
        assertMalformed(guest.run(0), 0, 0);
        assertThat(guest.events.completed).hasSize(3);
    }

    /** A guest that uses all heads of a large ring, one after the other, takes no more memory than one that uses a single one. */
    @Test
    void shouldHaveAsManyRequestsAsWereOutAtOnce() {
        for (int head = 0; head < 30; head += 3) {
            guest.plain(head, IN, 0, DATA, 512);
            assertThat(guest.run(head)).isEqualTo(new Used(head, 513));
        }
        assertThat(guest.highestSlot).isZero();
        for (int head = 0; head < 30; head += 3) {
            guest.offer(head);
        }
        guest.publish();
        guest.tick();
        assertThat(guest.takeUsed()).hasSize(10);
        assertThat(guest.highestSlot).isEqualTo(9);
    }

    private long range(int type, long segmentBytes, long sector, long sectors, int flags) {
        VirtioBlkDiscardSegment.set(guest.low, DATA - QueueUnderTest.GUEST, sector, sectors, flags);
        return guest.plain(0, type, 0, DATA, segmentBytes);
    }

    @Test
    void shouldJudgeDiscardAndWriteZeroesSegments() {
        long disk = QueueUnderTest.DISK_BYTES / 512;
        for (int type : new int[] {DISCARD, WRITE_ZEROES}) {
            assertFailsWithStatus(0, range(type, 16, 0, 8, 0), OK);
            assertFailsWithStatus(0, range(type, 16, disk - 8, 8, 0), OK);
            assertFailsWithStatus(0, range(type, 16, 5, 0, 0), OK);
            assertFailsWithStatus(0, range(type, 32, 0, 8, 0), UNSUPP);
            assertFailsWithStatus(0, range(type, 15, 0, 8, 0), IOERR);
            assertFailsWithStatus(0, range(type, 16, 0, 8, 2), UNSUPP);
            assertFailsWithStatus(0, range(type, 16, 0, 8, 0x8000_0000), UNSUPP);
            assertFailsWithStatus(0, range(type, 16, disk - 7, 8, 0), IOERR);
            assertFailsWithStatus(0, range(type, 16, -1, 8, 0), IOERR);
            // num_sectors * 512 overflows 32 bits.
            assertFailsWithStatus(0, range(type, 16, 0, 0x80_0000L, 0), IOERR);
            assertFailsWithStatus(0, range(type, 16, 0, 0xFFFF_FFFFL, 0), IOERR);
        }
        assertFailsWithStatus(0, range(DISCARD, 16, 0, 8, 1), UNSUPP);
        assertFailsWithStatus(0, range(WRITE_ZEROES, 16, 0, 8, 1), OK);
    }

    @Test
    void shouldNotSupportDiscardAndWriteZeroesThatWereNotNegotiated() throws IOException {
        long[] features = {0, VirtioFeatures.BLK_DISCARD, VirtioFeatures.BLK_WRITE_ZEROES};
        for (long accepted : features) {
            try (QueueUnderTest other = QueueUnderTest.open(VirtioFeatures.VERSION_1 | accepted, 126)) {
                for (int type : new int[] {DISCARD, WRITE_ZEROES}) {
                    VirtioBlkDiscardSegment.set(other.low, DATA - QueueUnderTest.GUEST, 0, 8, 0);
                    long status = other.plain(0, type, 0, DATA, 16);
                    boolean negotiated = accepted == (type == DISCARD ? VirtioFeatures.BLK_DISCARD : VirtioFeatures.BLK_WRITE_ZEROES);
                    assertThat(other.run(0)).isEqualTo(new Used(0, 1));
                    assertThat(other.peek(status)).as("type %d with 0x%x", type, accepted).isEqualTo(negotiated ? OK : UNSUPP);
                }
            }
        }
    }

    // ---- the ring itself

    @Test
    void shouldBreakTheQueueWhenAvailIdxJumps() {
        guest.availIdx(SIZE + 1);
        assertBroken();
        assertThat(guest.takeUsed()).isEmpty();
    }

    @Test
    void shouldBreakTheQueueWhenAHeadIsBeyondTheRing() {
        guest.offer(SIZE);
        guest.publish();
        assertBroken();
    }

    @Test
    void shouldBreakTheQueueWhenAHeadIsMadeAvailableTwice() {
        guest.sink().hold();
        guest.plain(0, IN, 0, DATA, 512);
        guest.offer(0);
        guest.publish();
        guest.tick();
        guest.offer(0);
        guest.publish();
        assertBroken();
        assertThat(guest.queue.inFlight()).isEqualTo(1);
        // Abandoned: the kernel finishes, the guest is told nothing.
        guest.sink().releaseAll();
        guest.loop.tickUntilIdle();
        assertThat(guest.queue.inFlight()).isZero();
        assertThat(guest.takeUsed()).isEmpty();
    }

    @Test
    void shouldBreakTheQueueWhenAnyHeadIsMadeAvailableTwice() throws IOException {
        for (int head : new int[] {1, 7, 31, 32, 61}) {
            try (QueueUnderTest other = QueueUnderTest.open()) {
                other.sink().hold();
                long _ = other.plain(head, IN, 0, DATA, 512);
                other.offer(head);
                other.publish();
                other.tick();
                assertThat(other.queue.broken()).isFalse();
                other.offer(head);
                other.publish();
                other.tick();
                assertThat(other.queue.broken()).as("head " + head).isTrue();
                assertThat(other.queue.inFlight()).isEqualTo(1);
                other.sink().releaseAll();
            }
        }
    }

    /** What was gathered for the request before must not stand in for what cannot be read. */
    @Test
    void shouldNotTakeTheSegmentOfTheRequestBeforeWhenItsOwnIsOutsideMemory() {
        for (int type : new int[] {DISCARD, WRITE_ZEROES}) {
            assertFailsWithStatus(0, range(type, 16, 8, 8, 0), OK);
            guest.poke(DATA, (byte) 0x5A);
            assertFailsWithStatus(0, guest.plain(0, OUT, 8, DATA, 512), OK);
            assertFailsWithStatus(0, guest.plain(0, type, 0, END, 16), IOERR);
            assertThat(guest.backend.visible().get(java.lang.foreign.ValueLayout.JAVA_BYTE, 8 * 512)).isEqualTo((byte) 0x5A);
        }
    }

    @Test
    void shouldBreakTheQueueWhenAMalformedHeadIsOfferedTwiceInOneTick() {
        guest.desc(0, DATA, 0, F_NEXT, 0);
        guest.offer(0);
        guest.offer(0);
        guest.publish();
        assertBroken();
    }

    @Test
    void shouldLetOthersHaveTheirTurnWhenMalformedChainsAreLong() {
        for (int i = 0; i < SIZE; i++) {
            guest.desc(i, DATA, 0, F_NEXT, (i + 1) % SIZE);
            guest.offer(i);
        }
        guest.publish();
        guest.source.kicked();
        int ticks = guest.loop.tickUntilIdle();
        // 64 chains of 64 steps each are more than one tick's share of descriptors.
        assertThat(ticks).isGreaterThan(1).isLessThan(10);
        assertThat(guest.takeUsed()).hasSize(SIZE);
    }

    @Test
    void shouldLetOthersHaveTheirTurnWhenGoodRequestsHaveLongTables() {
        // Good requests of one sector, each with a hundred empty buffers that have to be read all the same.
        long status = DATA + 0x20000;
        guest.header(DATA, IN, 0);
        int entries = 103;
        guest.entry(TABLE, 0, DATA, 16, F_NEXT, 1);
        for (int i = 1; i < entries - 1; i++) {
            guest.entry(TABLE, i, DATA + 0x1000, i == 1 ? 512 : 0, F_NEXT | F_WRITE, i + 1);
        }
        guest.entry(TABLE, entries - 1, status, 1, F_WRITE, 0);
        for (int head = 0; head < SIZE; head++) {
            guest.desc(head, TABLE, entries * 16L, F_INDIRECT, 0);
            guest.offer(head);
        }
        guest.publish();
        guest.source.kicked();
        guest.loop.tick();
        int takenInFirstTick = guest.queue.position();
        assertThat(takenInFirstTick).isBetween(1, SIZE - 1);
        guest.tick();
        assertThat(guest.takeUsed()).hasSize(SIZE);
        assertThat(guest.peek(status)).isEqualTo(OK);
        assertThat(guest.queue.inFlight()).isZero();
        assertThat(guest.queue.position()).isEqualTo(SIZE);
    }
}
