package dev.sluice.virtio.blk;

import static dev.sluice.virtio.blk.QueueUnderTest.BORDER;
import static dev.sluice.virtio.blk.QueueUnderTest.DISK_BYTES;
import static dev.sluice.virtio.blk.QueueUnderTest.END;
import static dev.sluice.virtio.blk.QueueUnderTest.F_INDIRECT;
import static dev.sluice.virtio.blk.QueueUnderTest.F_WRITE;
import static dev.sluice.virtio.blk.QueueUnderTest.GUEST;
import static dev.sluice.virtio.blk.QueueUnderTest.HEAP;
import static dev.sluice.virtio.blk.QueueUnderTest.REGION_BYTES;
import static dev.sluice.virtio.blk.QueueUnderTest.SIZE;
import static org.assertj.core.api.Assertions.assertThat;

import com.code_intelligence.jazzer.junit.FuzzTest;
import dev.sluice.pipeline.BlockGeometry;
import dev.sluice.pipeline.testing.ManualLoop;
import dev.sluice.virtio.blk.QueueUnderTest.Used;
import dev.sluice.virtio.layout.VirtioFeatures;
import dev.sluice.virtio.queue.CallBatch;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;

/**
 * The request codec takes any chain and any header: each head comes back once with no more bytes than a disk has, every request gives its iovecs back, and
 * nothing is written but the used ring and buffers that the driver gave for writing.
 *
 * <pre>
 * input: u8 options; u8 count; u8 heads[count]; u8 count; descriptor descriptors[count]; u8 count; descriptor table[count]; u8 heap[]
 * options: bit 0: no indirect tables, bit 1: write-back, bit 2: read-only, bit 3: discard and write zeroes not negotiated
 * descriptor: i32 address, from the start of guest memory; u32 length; u8 flags; u8 next
 * </pre>
 *
 * The indirect table is at 0xc000 of guest memory, the heap at 0x4000.
 */
final class VirtioBlkRequestFuzzTest {
    private static final long TABLE = HEAP + 0x8000;
    private static final long TABLE_BYTES = 0x1000;
    private static final int MAX_HEAP_BYTES = 4096;
    private static final int MAX_ENTRIES = 255;
    private static final int DESCRIPTOR_BYTES = 10;

    /** A buffer that the driver gives for writing, within guest memory. */
    private record Given(long start, long end) {}

    @SuppressWarnings("NullAway.Init") // before all
    private static ManualLoop loop;

    @SuppressWarnings("NullAway.Init")
    private static CallBatch calls;

    @BeforeAll
    static void makeLoop() throws IOException {
        loop = new ManualLoop();
        calls = new CallBatch(loop);
    }

    @AfterAll
    static void closeLoop() {
        calls.close();
        loop.close();
    }

    @FuzzTest(maxDuration = "2m")
    void shouldGiveEveryHeadBackOnceWhenChainsAndHeadersAreAnything(byte[] input) throws IOException {
        ByteBuffer in = ByteBuffer.wrap(input).order(ByteOrder.LITTLE_ENDIAN);
        if (!in.hasRemaining()) {
            return;
        }
        int options = in.get();
        QueueUnderTest.Setup setup = new QueueUnderTest.Setup();
        setup.features = features(options);
        setup.segMax = 4;
        setup.geometry = new BlockGeometry(DISK_BYTES, 512, 4096, 0, (options & 4) != 0, true, true);
        setup.loop = loop;
        setup.calls = calls;
        try (QueueUnderTest guest = setup.open()) {
            BitSet heads = new BitSet();
            for (int left = count(in, SIZE, 1); left > 0; left--) {
                int head = (in.get() & 0xFF) % SIZE;
                // The same head twice is another test's: it breaks the queue.
                if (!heads.get(head)) {
                    heads.set(head);
                    guest.offer(head);
                }
            }
            List<Given> given = new ArrayList<>();
            // What a table elsewhere gives is not known.
            boolean known = true;
            int descriptors = count(in, SIZE, DESCRIPTOR_BYTES);
            for (int i = 0; i < descriptors; i++) {
                long address = GUEST + in.getInt();
                long length = in.getInt() & 0xFFFF_FFFFL;
                int flags = in.get() & 0xFF;
                known &= (options & 1) != 0 || (flags & F_INDIRECT) == 0 || address == TABLE;
                guest.desc(i, address, length, flags, in.get() & 0xFF);
                note(given, address, length, flags);
            }
            int entries = count(in, MAX_ENTRIES, DESCRIPTOR_BYTES);
            for (int i = 0; i < entries; i++) {
                long address = GUEST + in.getInt();
                long length = in.getInt() & 0xFFFF_FFFFL;
                int flags = in.get() & 0xFF;
                guest.entry(TABLE, i, address, length, flags, in.get() & 0xFF);
                note(given, address, length, flags);
            }
            int heapBytes = Math.min(in.remaining(), MAX_HEAP_BYTES);
            MemorySegment.copy(MemorySegment.ofArray(input), in.position(), guest.low, HEAP - GUEST, heapBytes);
            guest.publish();
            byte[] before = contents(guest);
            guest.tick();

            assertThat(loop.takeFailures()).isEmpty();
            assertThat(guest.foreignAddresses()).isEmpty();
            if (known && given.stream().allMatch(VirtioBlkRequestFuzzTest::leavesChainsAlone)) {
                assertThat(guest.queue.broken()).isFalse();
                List<Used> used = guest.takeUsed();
                assertThat(used).extracting(Used::head).doesNotHaveDuplicates().hasSize(heads.cardinality()).allMatch(heads::get);
                assertThat(used).extracting(Used::bytes).allMatch(bytes -> bytes >= 0 && bytes <= 1 + DISK_BYTES);
                requireNoOtherWrite(guest, before, given);
            }
        }
    }

    private static long features(int options) {
        return VirtioFeatures.VERSION_1
                | ((options & 1) != 0 ? 0 : VirtioFeatures.INDIRECT_DESC)
                | ((options & 2) != 0 ? VirtioFeatures.BLK_FLUSH : 0)
                | ((options & 12) != 0 ? 0 : VirtioFeatures.BLK_DISCARD | VirtioFeatures.BLK_WRITE_ZEROES);
    }

    /** How many of something follow: no more than said, than there may be and than are there. */
    private static int count(ByteBuffer in, int most, int bytesEach) {
        if (!in.hasRemaining()) {
            return 0;
        }
        int said = in.get() & 0xFF;
        return Math.min(Math.min(said, most), in.remaining() / bytesEach);
    }

    private static void note(List<Given> given, long address, long length, int flags) {
        if ((flags & F_WRITE) != 0) {
            long start = Math.max(address, GUEST);
            long end = Math.min(address + length, END);
            if (start < end) {
                given.add(new Given(start, end));
            }
        }
    }

    /** A driver that has the disk write into rings or tables gets what it asked for. */
    private static boolean leavesChainsAlone(Given buffer) {
        return buffer.start() >= HEAP && (buffer.end() <= TABLE || buffer.start() >= TABLE + TABLE_BYTES);
    }

    private static byte[] contents(QueueUnderTest guest) {
        byte[] bytes = new byte[(int) (2 * REGION_BYTES)];
        copy(guest.low, bytes, 0);
        copy(guest.high, bytes, (int) REGION_BYTES);
        return bytes;
    }

    private static void copy(MemorySegment block, byte[] target, int at) {
        MemorySegment.copy(block, 0, MemorySegment.ofArray(target), at, REGION_BYTES);
    }

    private static void requireNoOtherWrite(QueueUnderTest guest, byte[] before, List<Given> given) {
        assertThat(BORDER - GUEST).isEqualTo(REGION_BYTES);
        byte[] after = contents(guest);
        long used = guest.usedRing().address() - guest.low.address();
        System.arraycopy(before, (int) used, after, (int) used, (int) guest.usedRing().byteSize());
        for (Given buffer : given) {
            int at = (int) (buffer.start() - GUEST);
            System.arraycopy(before, at, after, at, (int) (buffer.end() - buffer.start()));
        }
        int written = java.util.Arrays.mismatch(before, after);
        assertThat(written).as("first byte of guest memory that was written and not given").isEqualTo(-1);
    }
}
