package dev.sluice.virtio.blk;

import static dev.sluice.virtio.blk.QueueUnderTest.BORDER;
import static dev.sluice.virtio.blk.QueueUnderTest.F_INDIRECT;
import static dev.sluice.virtio.blk.QueueUnderTest.F_NEXT;
import static dev.sluice.virtio.blk.QueueUnderTest.F_WRITE;
import static dev.sluice.virtio.blk.QueueUnderTest.GUEST;
import static dev.sluice.virtio.blk.QueueUnderTest.HEAP;
import static dev.sluice.virtio.blk.QueueUnderTest.STATUS_UNTOUCHED;
import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.linux.CapturedLog;
import dev.sluice.linux.Iovec;
import dev.sluice.pipeline.BlockRequest;
import dev.sluice.virtio.blk.QueueUnderTest.Used;
import dev.sluice.virtio.layout.VirtioBlkDiscardSegment;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.junit.jupiter.api.AfterEach;

/** A queue and what makes requests of chains for it, with a table of descriptors each. */
abstract class ChainsOfRequests {
    static final int IN = 0;
    static final int OUT = 1;
    static final int FLUSH = 4;
    static final int GET_ID = 8;
    static final int DISCARD = 11;
    static final int WRITE_ZEROES = 13;
    static final byte OK = 0;
    static final byte IOERR = 1;
    static final byte UNSUPP = 2;
    static final long HEADER = HEAP + 0x100;
    static final long STATUS = HEAP + 0x200;
    static final long TABLE = HEAP + 0x20000;
    static final long DATA = HEAP + 0x10000;
    static final long MOST_BYTES = 0x7FFF_F000L;
    static final String TOO_MANY = "VIRTIO 1.3 §5.2.4: more data segments than seg_max, and than the 1024 that are served all the same";
    static final String TOO_SPLIT = "data buffers are split over too many memory regions";
    static final String OUTSIDE = "data buffer is outside the guest's memory";

    QueueUnderTest guest;

    record Buffer(long address, long length) {}

    record Extent(long address, long length) {}

    ChainsOfRequests() throws IOException {
        guest = open(new QueueUnderTest.Setup());
    }

    private static QueueUnderTest open(QueueUnderTest.Setup setup) throws IOException {
        setup.connected = false;
        QueueUnderTest opened = setup.open();
        opened.queue.start(() -> {});
        opened.queue.enabled(true);
        return opened;
    }

    final void reopen(QueueUnderTest.Setup setup) throws IOException {
        guest.close();
        guest = open(setup);
    }

    /** Closing the queue misses iovecs that did not come back. */
    @AfterEach
    void close() {
        int _ = guest.loop.tickUntilIdle();
        guest.close();
    }

    static Buffer buffer(long address, long length) {
        return new Buffer(address, length);
    }

    /** Readable buffers, then writable ones, as head 0 by way of a table. */
    final void offer(List<Buffer> readable, List<Buffer> writable) {
        guest.poke(STATUS, STATUS_UNTOUCHED);
        int entries = readable.size() + writable.size();
        for (int i = 0; i < entries; i++) {
            boolean writes = i >= readable.size();
            Buffer buffer = writes ? writable.get(i - readable.size()) : readable.get(i);
            guest.entry(TABLE, i, buffer.address(), buffer.length(), (writes ? F_WRITE : 0) | (i == entries - 1 ? 0 : F_NEXT), i + 1);
        }
        guest.desc(0, TABLE, 16L * entries, F_INDIRECT, 0);
        guest.offer(0);
        guest.publish();
    }

    final BlockRequest polled() {
        return Objects.requireNonNull(guest.queue.poll());
    }

    final void requireUsed(int bytes, int status) {
        int _ = guest.loop.tickUntilIdle();
        assertThat(guest.takeUsed()).containsExactly(new Used(0, bytes));
        assertThat(guest.peek(STATUS)).isEqualTo((byte) status);
    }

    /** Nobody sees it, and it is reported as one with that errno. */
    final void requireCompletedAtOnce(int errno, byte status) {
        guest.events.completed.clear();
        long malformed = guest.events.malformed.get();
        assertThat(guest.queue.poll()).isNull();
        requireUsed(1, status);
        assertThat(guest.events.completed).isEqualTo(Map.of(errno, 1L));
        assertThat(guest.events.malformed).hasValue(malformed);
    }

    final void requireMalformed(String rule, boolean statusWritten) {
        guest.events.completed.clear();
        guest.loop.advanceNanos(2_000_000_000L);
        guest.loop.tick();
        try (CapturedLog log = new CapturedLog()) {
            assertThat(guest.queue.poll()).isNull();
            assertThat(log.of(ChainLog.class)).singleElement().asString().contains("request of head 0 is malformed: " + rule + "; it fails");
        }
        requireUsed(statusWritten ? 1 : 0, statusWritten ? IOERR : STATUS_UNTOUCHED);
        assertThat(guest.events.completed).isEmpty();
    }

    final List<Extent> extents(BlockRequest request) {
        List<Extent> found = new ArrayList<>();
        for (int i = 0; i < request.iovecCount(); i++) {
            found.add(new Extent(Iovec.base(request.iovecsAddress(), i), Iovec.length(request.iovecsAddress(), i)));
        }
        return found;
    }

    final Extent host(long guestAddress, long length) {
        return new Extent(guestAddress < BORDER ? guest.low.address() + (guestAddress - GUEST) : guest.high.address() + (guestAddress - BORDER), length);
    }

    final void header(int type, long sector) {
        guest.header(HEADER, type, sector);
    }

    final void range(int type, long sector, long sectors, int flags) {
        header(type, 0);
        VirtioBlkDiscardSegment.set(guest.low, DATA - GUEST, sector, sectors, flags);
        offer(List.of(buffer(HEADER, 16), buffer(DATA, 16)), List.of(buffer(STATUS, 1)));
    }
}
