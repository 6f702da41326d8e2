package dev.sluice.virtio.blk;

import static dev.sluice.virtio.blk.QueueUnderTest.BORDER;
import static dev.sluice.virtio.blk.QueueUnderTest.F_INDIRECT;
import static dev.sluice.virtio.blk.QueueUnderTest.F_NEXT;
import static dev.sluice.virtio.blk.QueueUnderTest.F_WRITE;
import static dev.sluice.virtio.blk.QueueUnderTest.HEAP;
import static dev.sluice.virtio.blk.QueueUnderTest.SIZE;
import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.pipeline.testing.SimulatedFaults;
import dev.sluice.virtio.blk.QueueUnderTest.Used;
import dev.sluice.virtio.layout.VirtioFeatures;
import java.io.IOException;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Requests cut into descriptors in every way that the specification allows, judged by what arrives on the disk and in the buffers. */
final class LegalChainTest {
    private static final long TABLE = HEAP + 0x8000;
    private static final int ROUNDS = 3000;

    private static final long FEATURES = VirtioFeatures.VERSION_1 | VirtioFeatures.INDIRECT_DESC | VirtioFeatures.BLK_FLUSH;

    /** A piece of the chain: some bytes of the request's stream, somewhere in guest memory. */
    private record Piece(long address, int length, boolean writable) {}

    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3})
    void shouldMoveTheRightBytesWhenChainsAreCutAnywhere(long seed) throws IOException {
        SplittableRandom random = new SplittableRandom(seed);
        QueueUnderTest.Setup setup = new QueueUnderTest.Setup();
        setup.features = FEATURES;
        setup.faults = faults(seed);
        setup.firstIndex = 0xFFFF - random.nextInt(1000);
        try (QueueUnderTest guest = setup.open()) {
            for (int round = 0; round < ROUNDS; round++) {
                oneRequest(guest, random, "seed " + seed + " round " + round);
            }
            assertThat(guest.foreignAddresses()).isEmpty();
            assertThat(guest.events.malformed.get()).isZero();
        }
    }

    private static SimulatedFaults faults(long seed) {
        SimulatedFaults some = SimulatedFaults.some(seed);
        return new SimulatedFaults(seed, 0, some.shortPercent(), some.delayPercent(), some.delayRounds(), some.reordering());
    }

    private static void oneRequest(QueueUnderTest guest, SplittableRandom random, String where) {
        boolean write = random.nextBoolean();
        int sectors = 1 + random.nextInt(16);
        int dataBytes = sectors * 512;
        long sector = random.nextInt((int) (QueueUnderTest.DISK_BYTES / 512) - sectors);
        // A buffer that now and then spans the border of the regions.
        long base = random.nextInt(4) == 0 ? BORDER - random.nextInt(dataBytes + 32) : HEAP + 0x20000 + random.nextInt(0x8000);
        int readable = 16 + (write ? dataBytes : 0);
        int writable = 1 + (write ? 0 : dataBytes);
        guest.header(base, write ? 1 : 0, sector);
        byte salt = (byte) random.nextInt();
        for (int i = 16; i < readable + writable; i++) {
            guest.poke(base + i, (byte) (salt + i * 7));
        }
        long diskOffset = sector * 512;
        List<Piece> pieces = cut(random, base, readable, writable);
        int head = random.nextInt(SIZE);
        build(guest, random, pieces, head);
        assertThat(guest.run(head)).as(where).isEqualTo(new Used(head, writable));
        assertThat(guest.peek(base + readable + writable - 1)).as(where).isZero();
        for (int i = 0; i < dataBytes; i++) {
            byte onDisk = guest.backend.visible().get(ValueLayout.JAVA_BYTE, diskOffset + i);
            byte inMemory = guest.peek(base + 16 + i);
            if (onDisk != inMemory || (write && onDisk != (byte) (salt + (16 + i) * 7))) {
                throw new AssertionError(where + ": byte " + i + " of " + dataBytes);
            }
        }
    }

    /** At most 20 pieces, some empty, none across the turn from readable to writable. */
    private static List<Piece> cut(SplittableRandom random, long base, int readable, int writable) {
        List<Piece> pieces = new ArrayList<>();
        int at = 0;
        int total = readable + writable;
        while (at < total) {
            int end = at < readable ? readable : total;
            int length = pieces.size() > 16 || random.nextBoolean() ? end - at : random.nextInt(Math.min(end - at, 600) + 1);
            pieces.add(new Piece(base + at, length, at >= readable));
            at += length;
        }
        return pieces;
    }

    private static void build(QueueUnderTest guest, SplittableRandom random, List<Piece> pieces, int head) {
        int direct = switch (random.nextInt(3)) {
            case 0 -> pieces.size();
            case 1 -> 0;
            default -> random.nextInt(pieces.size());
        };
        int index = head;
        for (int i = 0; i < direct; i++) {
            Piece piece = pieces.get(i);
            int next = (index + 1) % SIZE;
            boolean last = i == pieces.size() - 1;
            guest.desc(index, piece.address(), piece.length(), flags(piece, last), next);
            index = next;
        }
        int rest = pieces.size() - direct;
        if (rest > 0) {
            // An unaligned table is legal; VIRTIO 1.3 §2.7.5.3.2: F_WRITE on its descriptor is ignored.
            long table = TABLE + random.nextInt(16);
            guest.desc(index, table, 16L * rest, F_INDIRECT | (random.nextBoolean() ? F_WRITE : 0), random.nextInt(SIZE));
            for (int i = 0; i < rest; i++) {
                guest.entry(table, i, pieces.get(direct + i).address(), pieces.get(direct + i).length(), flags(pieces.get(direct + i), i == rest - 1), i + 1);
            }
        }
    }

    private static int flags(Piece piece, boolean last) {
        return (piece.writable() ? F_WRITE : 0) | (last ? 0 : F_NEXT);
    }

    @Test
    void shouldFillTwentyBytesWhenTheSerialIsAskedFor() throws IOException {
        try (QueueUnderTest guest = QueueUnderTest.open()) {
            long data = HEAP + 0x10000;
            guest.poke(data + 20, (byte) 0x77);
            long status = guest.plain(0, 8, 0, data, 64);
            assertThat(guest.run(0)).isEqualTo(new Used(0, 21));
            assertThat(guest.peek(status)).isZero();
            for (int i = 0; i < 20; i++) {
                assertThat(guest.peek(data + i)).isEqualTo((byte) "0123456789abcdefghij".charAt(i));
            }
            assertThat(guest.peek(data + 20)).isEqualTo((byte) 0x77);
            guest.plain(0, 8, 0, data, 5);
            assertThat(guest.run(0)).isEqualTo(new Used(0, 6));
        }
    }

    @Test
    void shouldWaitForIovecsWhenTheSlabIsExhausted() throws IOException {
        try (QueueUnderTest guest = QueueUnderTest.open(FEATURES, 126)) {
            int requests = SIZE;
            guest.sink().hold();
            int room = QueueUnderTest.LARGE_REQUESTS;
            for (int head = 0; head < requests; head++) {
                large(guest, head, 0x20);
                guest.offer(head);
            }
            guest.publish();
            guest.tick();
            assertThat(guest.queue.inFlight()).isEqualTo(room);
            // Not spinning: the loop became idle. Not lost: each one that comes back makes room for one more.
            guest.sink().release(guest.sink().held().getFirst());
            guest.loop.tickUntilIdle();
            assertThat(guest.takeUsed()).hasSize(1);
            assertThat(guest.queue.inFlight()).isEqualTo(room);
            guest.sink().releaseAll();
            guest.loop.tickUntilIdle();
            requests--;
            assertThat(guest.takeUsed()).hasSize(requests);
        }
    }

    private static void large(QueueUnderTest guest, int head, int segments) {
        long table = TABLE + head * 0x300L;
        guest.header(HEAP, 0, 0);
        guest.desc(head, table, 16L * (segments + 2), F_INDIRECT, 0);
        guest.entry(table, 0, HEAP, 16, F_NEXT, 1);
        for (int i = 1; i <= segments; i++) {
            guest.entry(table, i, HEAP + 0x40000, 512, F_WRITE | F_NEXT, i + 1);
        }
        guest.entry(table, segments + 1, HEAP + 0x100 + head, 1, F_WRITE, 0);
    }

    @Test
    void shouldCallOncePerTickAndOnlyWhenTheDriverWantsIt() throws IOException {
        try (QueueUnderTest guest = QueueUnderTest.open()) {
            for (int i = 0; i < 8; i++) {
                guest.plain(i * 3, 0, i, HEAP + 0x10000, 512);
                guest.offer(i * 3);
            }
            guest.publish();
            guest.tick();
            assertThat(guest.takeUsed()).hasSize(8);
            assertThat(dev.sluice.linux.EventFd.drain(guest.call.number())).isEqualTo(1);
            dev.sluice.virtio.layout.VirtqAvail.flags(guest.availRing(), 0, 1);
            guest.plain(0, 0, 0, HEAP + 0x10000, 512);
            guest.run(0);
            assertThat(guest.called()).isFalse();
        }
    }
}
