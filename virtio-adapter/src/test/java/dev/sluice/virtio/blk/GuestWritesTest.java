package dev.sluice.virtio.blk;

import static dev.sluice.virtio.blk.QueueUnderTest.BORDER;
import static dev.sluice.virtio.blk.QueueUnderTest.FEATURES;
import static dev.sluice.virtio.blk.QueueUnderTest.GUEST;
import static dev.sluice.virtio.blk.QueueUnderTest.HEAP;
import static dev.sluice.virtio.blk.QueueUnderTest.REGION_BYTES;
import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.pipeline.testing.SimulatedFaults;
import dev.sluice.virtio.layout.VirtioFeatures;
import dev.sluice.virtio.layout.VirtqUsed;
import dev.sluice.virtio.queue.GuestWrites;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Whatever changes in guest memory while the device works is reported to the port, and nothing is that the device may not write. */
final class GuestWritesTest {
    private static final int STEPS = 150;
    private static final int CHAIN = 3;
    private static final int HEADS = QueueUnderTest.SIZE / CHAIN;
    private static final long DATA = HEAP + 0x8000;
    private static final int MOST_SECTORS = 8;
    private static final int READ = 0;
    private static final int WRITE = 1;
    private static final int FLUSH = 4;
    private static final int GET_ID = 8;
    private static final int UNKNOWN = 99;

    private record Range(long hostAddress, long bytes) {}

    private final List<Range> ranges = new ArrayList<>();
    private final GuestWrites recorder = (hostAddress, bytes) -> ranges.add(new Range(hostAddress, bytes));
    /** What each request in flight lets the device write, by head. */
    private final Map<Integer, BitSet> writable = new HashMap<>();

    @ParameterizedTest
    @CsvSource({"1, false", "2, true", "3, false", "4, true"})
    void shouldReportWhateverChangesAndNothingThatIsNotTheDevicesToWrite(long seed, boolean eventIdx) throws IOException {
        SplittableRandom random = new SplittableRandom(seed);
        QueueUnderTest.Setup setup = new QueueUnderTest.Setup();
        setup.features = FEATURES | (eventIdx ? VirtioFeatures.EVENT_IDX : 0);
        setup.faults = SimulatedFaults.some(seed);
        setup.writes = recorder;
        setup.firstIndex = 0xFFF0;
        try (QueueUnderTest guest = setup.open()) {
            BitSet usedRing = new BitSet();
            int used = (int) (guest.usedRing().address() - guest.low.address());
            usedRing.set(used, used + (int) VirtqUsed.sizeBytes(QueueUnderTest.SIZE, eventIdx));
            long changedBytes = 0;
            for (int step = 0; step < STEPS; step++) {
                for (int i = random.nextInt(6); i > 0; i--) {
                    offer(guest, random);
                }
                guest.publish();
                ranges.clear();
                byte[] low = guest.low.toArray(ValueLayout.JAVA_BYTE);
                byte[] high = guest.high.toArray(ValueLayout.JAVA_BYTE);
                guest.tick();

                BitSet changed = changes(low, guest.low, 0);
                changed.or(changes(high, guest.high, (int) REGION_BYTES));
                changedBytes += changed.cardinality();
                BitSet reported = reported(guest);
                changed.andNot(reported);
                assertThat(changed).as("changed and not reported, step %d", step).isEqualTo(new BitSet());
                reported.andNot(usedRing);
                writable.values().forEach(reported::andNot);
                assertThat(reported).as("reported and not the device's to write, step %d", step).isEqualTo(new BitSet());
                guest.takeUsed().forEach(element -> assertThat(writable.remove(element.head())).isNotNull());
            }
            assertThat(changedBytes).isGreaterThan(100L * STEPS);
        }
    }

    /** A request of some kind with a head that is free, if there is one; some data lies in both regions. */
    private void offer(QueueUnderTest guest, SplittableRandom random) {
        int head = CHAIN * random.nextInt(HEADS);
        if (writable.containsKey(head)) {
            return;
        }
        int type = new int[] {READ, READ, READ, WRITE, FLUSH, GET_ID, UNKNOWN}[random.nextInt(7)];
        long bytes = type == FLUSH ? 0 : type == GET_ID ? 20 : 512L * random.nextInt(1, MOST_SECTORS + 1) - (random.nextInt(8) == 0 ? 1 : 0);
        long data = type == FLUSH || random.nextInt(5) > 0 || spanning() ? DATA + head * 0x1000L : BORDER - 256;
        long sector = random.nextInt(10) == 0 ? Long.MAX_VALUE : random.nextInt(256);
        long status = guest.plain(head, type, sector, data, bytes);
        BitSet mine = new BitSet();
        mine.set((int) (status - GUEST));
        if (type == READ || type == GET_ID) {
            mine.set((int) (data - GUEST), (int) (data - GUEST + bytes));
            for (long at = data; at < data + bytes; at++) {
                guest.poke(at, (byte) 0x5A);
            }
        }
        writable.put(head, mine);
        guest.offer(head);
    }

    /** Whether a request in flight has its data at the border. */
    private boolean spanning() {
        return writable.values().stream().anyMatch(range -> range.get((int) (BORDER - GUEST)));
    }

    /** Bits of both regions, in guest addresses from {@link QueueUnderTest#GUEST} on. */
    private BitSet reported(QueueUnderTest guest) {
        BitSet reported = new BitSet();
        for (Range range : ranges) {
            assertThat(range.bytes()).isPositive();
            long offset = range.hostAddress() - guest.low.address();
            if (offset < 0 || offset > REGION_BYTES - range.bytes()) {
                long highOffset = range.hostAddress() - guest.high.address();
                assertThat(highOffset).as("in one region").isBetween(0L, REGION_BYTES - range.bytes());
                offset = REGION_BYTES + highOffset;
            }
            reported.set((int) offset, (int) (offset + range.bytes()));
        }
        return reported;
    }

    private static BitSet changes(byte[] before, MemorySegment now, int offset) {
        BitSet changed = new BitSet();
        MemorySegment old = MemorySegment.ofArray(before);
        long at = 0;
        while (at < before.length) {
            long found = MemorySegment.mismatch(old, at, before.length, now, at, before.length);
            if (found < 0) {
                return changed;
            }
            changed.set((int) (offset + at + found));
            at += found + 1;
        }
        return changed;
    }
}
