package dev.sluice.virtio.blk;

import static dev.sluice.virtio.blk.QueueUnderTest.BORDER;
import static dev.sluice.virtio.blk.QueueUnderTest.END;
import static dev.sluice.virtio.blk.QueueUnderTest.FEATURES;
import static dev.sluice.virtio.blk.QueueUnderTest.F_NEXT;
import static dev.sluice.virtio.blk.QueueUnderTest.STATUS_UNTOUCHED;
import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.linux.Errno;
import dev.sluice.pipeline.BlockGeometry;
import dev.sluice.pipeline.BlockOp;
import dev.sluice.pipeline.BlockRequest;
import dev.sluice.virtio.layout.VirtioFeatures;
import dev.sluice.virtio.queue.GuestMemory;
import dev.sluice.virtio.queue.MemoryRegion;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What a chain becomes: a request that the pipeline sees, or a completion of the queue's own. VIRTIO 1.3 §5.2.6. */
final class VirtioBlkRequestTest extends ChainsOfRequests {
    VirtioBlkRequestTest() throws IOException {}

    // ---- READ and WRITE

    @Test
    void shouldReadIntoTheWritableBuffersBeforeTheStatus() {
        header(IN, 3);
        offer(List.of(buffer(HEADER, 16)), List.of(buffer(DATA, 500), buffer(BORDER - 12, 24), buffer(DATA + 0x1000, 500), buffer(STATUS, 1)));
        BlockRequest request = polled();
        assertThat(request.op()).isEqualTo(BlockOp.READ);
        assertThat(request.sector()).isEqualTo(3);
        assertThat(request.lengthBytes()).isEqualTo(1024);
        assertThat(request.durable()).isFalse();
        assertThat(extents(request)).containsExactly(host(DATA, 500), host(BORDER - 12, 12), host(BORDER, 12), host(DATA + 0x1000, 500));
        request.complete(1024);
        requireUsed(1025, OK);
        // The status is the last byte of a buffer that may hold data as well.
        offer(List.of(buffer(HEADER, 16)), List.of(buffer(STATUS - 512, 513)));
        BlockRequest joined = polled();
        assertThat(extents(joined)).containsExactly(host(STATUS - 512, 512));
        joined.complete(-Errno.EIO);
        requireUsed(1, IOERR);
        // What is readable behind the header is no part of a READ.
        offer(List.of(buffer(HEADER, 17), buffer(DATA + 0x2000, 600)), List.of(buffer(DATA, 512), buffer(STATUS, 1)));
        BlockRequest more = polled();
        assertThat(extents(more)).containsExactly(host(DATA, 512));
        more.complete(512);
        requireUsed(513, OK);
    }

    @Test
    void shouldWriteFromTheReadableBuffersBehindTheHeader() {
        header(OUT, 5);
        List<Buffer> status = List.of(buffer(STATUS, 1));
        offer(List.of(buffer(HEADER, 16), buffer(DATA, 100), buffer(DATA + 0x1000, 412)), status);
        BlockRequest apart = polled();
        assertThat(apart.op()).isEqualTo(BlockOp.WRITE);
        assertThat(apart.sector()).isEqualTo(5);
        assertThat(extents(apart)).containsExactly(host(DATA, 100), host(DATA + 0x1000, 412));
        apart.complete(512);
        requireUsed(1, OK);
        offer(List.of(buffer(HEADER, 16 + 200), buffer(DATA, 312)), status);
        BlockRequest joined = polled();
        assertThat(extents(joined)).containsExactly(host(HEADER + 16, 200), host(DATA, 312));
        joined.complete(512);
        requireUsed(1, OK);
        offer(List.of(buffer(HEADER, 7), buffer(HEADER + 7, 5), buffer(HEADER + 12, 4 + 512)), status);
        BlockRequest split = polled();
        assertThat(extents(split)).containsExactly(host(HEADER + 16, 512));
        split.complete(-Errno.ENOSPC);
        requireUsed(1, IOERR);
    }

    /** However it is split, at the end of memory or over the border of regions. */
    @Test
    void shouldReadTheHeaderWhereverItLies() {
        guest.header(END - 16, OUT, 9);
        guest.header(BORDER - 8, OUT, 9);
        guest.header(DATA, OUT, 9);
        for (int i = 0; i < 16; i++) {
            guest.poke(DATA + 0x2000 - 100L * i, guest.peek(DATA + i));
        }
        List<Buffer> bytes = new ArrayList<>();
        for (int i = 0; i < 16; i++) {
            bytes.add(buffer(DATA + 0x2000 - 100L * i, 1));
        }
        List<List<Buffer>> headers = List.of(
                List.of(buffer(END - 16, 16)), List.of(buffer(BORDER - 8, 16)), List.of(buffer(DATA, 8), buffer(DATA + 8, 8)),
                List.of(buffer(DATA, 15), buffer(DATA + 15, 1)), bytes);
        for (List<Buffer> header : headers) {
            List<Buffer> readable = new ArrayList<>(header);
            readable.add(buffer(DATA + 0x4000, 512));
            offer(readable, List.of(buffer(STATUS, 1)));
            BlockRequest request = polled();
            assertThat(request.op()).isEqualTo(BlockOp.WRITE);
            assertThat(request.sector()).isEqualTo(9);
            assertThat(extents(request)).containsExactly(host(DATA + 0x4000, 512));
            request.complete(512);
            requireUsed(1, OK);
        }
        for (Buffer outside : List.of(buffer(0, 16), buffer(END, 16), buffer(END - 8, 16), buffer(END - 15, 17))) {
            offer(List.of(outside), List.of(buffer(DATA, 512), buffer(STATUS, 1)));
            requireMalformed("header is outside the guest's memory", true);
        }
    }

    @Test
    void shouldReportAllBytesOfAReadThatAStageHasCompleted() {
        header(IN, 0);
        offer(List.of(buffer(HEADER, 16)), List.of(buffer(DATA, 512), buffer(STATUS, 1)));
        polled().complete(0);
        requireUsed(513, OK);
    }

    @ParameterizedTest
    @CsvSource({"0, true", "512, true", "511, false", "513, false", "1024, true"})
    void shouldTransferWholeSectors(int bytes, boolean whole) {
        for (int type : new int[] {IN, OUT}) {
            header(type, 0);
            List<Buffer> data = bytes == 0 ? List.of() : List.of(buffer(DATA, bytes));
            List<Buffer> readable = new ArrayList<>(List.of(buffer(HEADER, 16)));
            List<Buffer> writable = new ArrayList<>(List.of(buffer(STATUS, 1)));
            (type == IN ? writable : readable).addAll(type == IN ? 0 : 1, data);
            offer(readable, writable);
            if (bytes == 0) {
                requireCompletedAtOnce(0, OK);
            } else if (whole) {
                polled().complete(bytes);
                requireUsed(type == IN ? bytes + 1 : 1, OK);
            } else {
                requireCompletedAtOnce(Errno.EINVAL, IOERR);
            }
        }
    }

    /** A result is an int: a longer request is refused, and the longest one is not, but for its memory. */
    @Test
    void shouldRefuseWhatIsLongerThanAResultCanSay() throws IOException {
        QueueUnderTest.Setup setup = new QueueUnderTest.Setup();
        setup.geometry = new BlockGeometry(8L << 30, 512, 512, 0, false, true, true);
        reopen(setup);
        header(OUT, 0);
        offer(List.of(buffer(HEADER, 16), buffer(DATA, MOST_BYTES)), List.of(buffer(STATUS, 1)));
        requireMalformed(OUTSIDE, true);
        offer(List.of(buffer(HEADER, 16), buffer(DATA, MOST_BYTES + 512)), List.of(buffer(STATUS, 1)));
        requireCompletedAtOnce(Errno.EINVAL, IOERR);
        for (int type : new int[] {DISCARD, WRITE_ZEROES}) {
            range(type, 4, MOST_BYTES / 512, 0);
            BlockRequest longest = polled();
            assertThat(longest.lengthBytes()).isEqualTo(MOST_BYTES);
            assertThat(longest.sector()).isEqualTo(4);
            longest.complete(0);
            requireUsed(1, OK);
            range(type, 4, MOST_BYTES / 512 + 1, 0);
            requireCompletedAtOnce(Errno.EINVAL, IOERR);
        }
    }

    @Test
    void shouldNotModifyAReadOnlyDisk() throws IOException {
        QueueUnderTest.Setup setup = new QueueUnderTest.Setup();
        setup.features = VirtioFeatures.VERSION_1 | VirtioFeatures.INDIRECT_DESC;
        setup.geometry = new BlockGeometry(QueueUnderTest.DISK_BYTES, 512, 512, 0, true, false, false);
        reopen(setup);
        for (int type : new int[] {OUT, DISCARD, WRITE_ZEROES}) {
            header(type, 0);
            offer(List.of(buffer(HEADER, 16), buffer(DATA, 512)), List.of(buffer(STATUS, 1)));
            requireCompletedAtOnce(Errno.EROFS, IOERR);
        }
        header(IN, 0);
        offer(List.of(buffer(HEADER, 16)), List.of(buffer(DATA, 512), buffer(STATUS, 1)));
        polled().complete(512);
        requireUsed(513, OK);
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void shouldMakeWritesDurableWhenTheDriverDoesNotFlush(boolean flushes) throws IOException {
        QueueUnderTest.Setup setup = new QueueUnderTest.Setup();
        setup.features = flushes ? FEATURES : FEATURES & ~VirtioFeatures.BLK_FLUSH;
        reopen(setup);
        for (int type : new int[] {OUT, IN, DISCARD, WRITE_ZEROES, FLUSH}) {
            if (type == DISCARD || type == WRITE_ZEROES) {
                range(type, 0, 8, 0);
            } else {
                header(type, 0);
                offer(List.of(buffer(HEADER, type == OUT ? 528 : 16)), List.of(buffer(DATA, type == IN ? 512 : 0), buffer(STATUS, 1)));
            }
            BlockRequest request = polled();
            assertThat(request.durable()).as(request.op() + "").isEqualTo(!flushes && type != IN && type != FLUSH);
            request.complete(0);
            int _ = guest.loop.tickUntilIdle();
            assertThat(guest.takeUsed()).hasSize(1);
        }
    }

    // ---- segments

    private static List<Buffer> repeated(Buffer buffer, int times) {
        List<Buffer> all = new ArrayList<>();
        for (int i = 0; i < times; i++) {
            all.add(buffer);
        }
        return all;
    }

    @ParameterizedTest
    @ValueSource(ints = {8, 9, 144, 145, 1024, 1025})
    void shouldServeUpTo1024SegmentsEachWay(int segments) {
        for (int type : new int[] {IN, OUT}) {
            header(type, 0);
            List<Buffer> data = repeated(buffer(DATA, 512), segments);
            List<Buffer> readable = new ArrayList<>(List.of(buffer(HEADER, 16)));
            List<Buffer> writable = new ArrayList<>();
            (type == IN ? writable : readable).addAll(data);
            writable.add(buffer(STATUS, 1));
            offer(readable, writable);
            if (segments > 1024) {
                requireMalformed(TOO_MANY, true);
            } else {
                BlockRequest request = polled();
                assertThat(extents(request)).hasSize(segments).containsOnly(host(DATA, 512));
                request.complete(segments * 512);
                requireUsed(type == IN ? segments * 512 + 1 : 1, OK);
            }
        }
    }

    /** In pieces of a header and behind it, up to the room that a chain has. */
    @Test
    void shouldRefuseAFlushWithMoreBuffersThanAnyRequestNeeds() {
        header(FLUSH, 0);
        List<Buffer> readable = new ArrayList<>(List.of(buffer(HEADER, 16)));
        readable.addAll(repeated(buffer(DATA, 1), 1024 + 17));
        offer(readable, List.of(buffer(STATUS, 1)));
        requireMalformed(TOO_MANY, true);
    }

    @Test
    void shouldServeBuffersThatSpanRegionsWhileThereAreIovecsForThem() {
        header(IN, 0);
        Buffer spanning = buffer(BORDER - 256, 512);
        List<Buffer> writable = new ArrayList<>(repeated(spanning, 5));
        writable.add(buffer(STATUS, 1));
        offer(List.of(buffer(HEADER, 16)), writable);
        BlockRequest request = polled();
        assertThat(extents(request)).hasSize(10).startsWith(host(BORDER - 256, 256), host(BORDER, 256));
        request.complete(5 * 512);
        requireUsed(5 * 512 + 1, OK);
        // 1024 segments and 18 more iovecs.
        for (int split : new int[] {18, 19}) {
            List<Buffer> many = new ArrayList<>(repeated(spanning, split));
            many.addAll(repeated(buffer(DATA, 512), 1024 - split));
            many.add(buffer(STATUS, 1));
            offer(List.of(buffer(HEADER, 16)), many);
            if (split == 19) {
                requireMalformed(TOO_SPLIT, true);
            } else {
                BlockRequest most = polled();
                assertThat(most.iovecCount()).isEqualTo(1042);
                most.complete(1024 * 512);
                requireUsed(1024 * 512 + 1, OK);
            }
        }
    }

    @Test
    void shouldReleaseIovecsWhenALaterBufferIsOutsideMemory() {
        header(IN, 0);
        for (int before : new int[] {0, 9, 200}) {
            List<Buffer> writable = new ArrayList<>(repeated(buffer(DATA, 512), before));
            writable.add(buffer(END - 256, 512));
            writable.add(buffer(STATUS, 1));
            offer(List.of(buffer(HEADER, 16)), writable);
            requireMalformed(OUTSIDE, true);
        }
    }

    // ---- what is no request

    @Test
    void shouldNameTheRuleThatARequestBreaks() {
        header(IN, 0);
        offer(List.of(buffer(HEADER, 15)), List.of(buffer(DATA, 512), buffer(STATUS, 1)));
        requireMalformed("VIRTIO 1.3 §5.2.6: fewer than 16 readable bytes for the header", true);
        offer(List.of(buffer(HEADER, 16)), List.of());
        requireMalformed("VIRTIO 1.3 §5.2.6: no writable byte for the status", false);
        offer(List.of(buffer(HEADER, 16)), List.of(buffer(DATA, 512), buffer(END, 1)));
        requireMalformed("status byte is outside the guest's memory", false);
        offer(List.of(buffer(HEADER, 16)), List.of(buffer(-1, 2), buffer(STATUS, 1)));
        requireMalformed("address and length of a buffer wrap around 2^64", true);
    }

    @Test
    void shouldRefuseAReadableBufferBehindAWritableOne() {
        header(IN, 0);
        long data = TABLE + 16;
        offer(List.of(buffer(HEADER, 16)), List.of(buffer(DATA, 512), buffer(DATA, 512), buffer(STATUS, 1)));
        // The second one of data loses its WRITE.
        guest.poke(data + 16 + 12, (byte) F_NEXT);
        requireMalformed("VIRTIO 1.3 §2.7.4.2: readable buffer behind a writable one", true);
    }

    @Test
    void shouldRefuseTransfersBeyondTheDisk() {
        long sectors = QueueUnderTest.DISK_BYTES / 512;
        for (int type : new int[] {IN, OUT}) {
            for (long sector : new long[] {sectors, sectors - 1, -1, Long.MAX_VALUE, Long.MIN_VALUE}) {
                header(type, sector);
                offer(List.of(buffer(HEADER, type == OUT ? 16 + 1024 : 16)), List.of(buffer(DATA, type == IN ? 1024 : 0), buffer(STATUS, 1)));
                requireCompletedAtOnce(Errno.EINVAL, IOERR);
            }
        }
    }

    @ParameterizedTest
    @ValueSource(longs = {0, VirtioFeatures.BLK_DISCARD, VirtioFeatures.BLK_WRITE_ZEROES})
    void shouldNotSupportRangesThatWereNotNegotiated(long accepted) throws IOException {
        QueueUnderTest.Setup setup = new QueueUnderTest.Setup();
        setup.features = VirtioFeatures.VERSION_1 | VirtioFeatures.INDIRECT_DESC | accepted;
        reopen(setup);
        for (int type : new int[] {DISCARD, WRITE_ZEROES}) {
            range(type, 0, 8, 0);
            if (accepted == (type == DISCARD ? VirtioFeatures.BLK_DISCARD : VirtioFeatures.BLK_WRITE_ZEROES)) {
                polled().complete(0);
                requireUsed(1, OK);
            } else {
                requireCompletedAtOnce(Errno.EOPNOTSUPP, UNSUPP);
            }
        }
    }

    /** Where there is memory at address 0, it is not the status of a chain that has none. */
    @Test
    void shouldWriteNoStatusWhereTheChainHasNone() {
        List<MemoryRegion> regions = new ArrayList<>(guest.memory.regions());
        regions.add(new MemoryRegion(0, 0, guest.high.asSlice(0, 4096)));
        guest.queue.memory(new GuestMemory(regions));
        guest.poke(BORDER, STATUS_UNTOUCHED);
        header(IN, 0);
        offer(List.of(buffer(HEADER, 16)), List.of());
        assertThat(guest.queue.poll()).isNull();
        requireUsed(0, STATUS_UNTOUCHED);
        assertThat(guest.peek(BORDER)).isEqualTo(STATUS_UNTOUCHED);
    }

    @ParameterizedTest
    @ValueSource(ints = {2, 3, 5, 10, 14, 0x7FFF_FFFF, 0x8000_0000, -1, 256})
    void shouldNotSupportOtherTypes(int type) {
        header(type, 0);
        offer(List.of(buffer(HEADER, 16)), List.of(buffer(DATA, 512), buffer(STATUS, 1)));
        assertThat(guest.queue.poll()).isNull();
        requireUsed(1, UNSUPP);
        assertThat(guest.events.completed).isEmpty();
        assertThat(guest.events.malformed).hasValue(0);
    }
}
