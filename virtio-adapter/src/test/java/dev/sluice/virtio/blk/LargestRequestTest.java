package dev.sluice.virtio.blk;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sluice.linux.Errno;
import dev.sluice.linux.NativeBlock;
import dev.sluice.linux.NativeMemory;
import dev.sluice.pipeline.BlockGeometry;
import dev.sluice.pipeline.BlockRequest;
import dev.sluice.pipeline.PipelineObserver;
import dev.sluice.pipeline.testing.ManualLoop;
import dev.sluice.virtio.layout.VirtioBlkDiscardSegment;
import dev.sluice.virtio.layout.VirtioBlkRequestHeader;
import dev.sluice.virtio.layout.VirtioFeatures;
import dev.sluice.virtio.layout.VirtqAvail;
import dev.sluice.virtio.layout.VirtqDesc;
import dev.sluice.virtio.layout.VirtqUsed;
import dev.sluice.virtio.queue.CallBatch;
import dev.sluice.virtio.queue.DeviceRing;
import dev.sluice.virtio.queue.GuestMemory;
import dev.sluice.virtio.queue.MemoryRegion;
import dev.sluice.virtio.queue.RingAddresses;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;
import java.util.Objects;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Limits that need gigabytes: a driver reads into the same few megabytes again and again, and nobody executes it. The queue alone, without a pipeline. */
class LargestRequestTest {
    private static final byte OK = 0;
    private static final byte IOERR = 1;
    private static final int SIZE = 8;
    private static final long GUEST = 0x10_0000;
    private static final int MEMORY_BYTES = 8 << 20;
    private static final long DESCRIPTORS = 0;
    private static final long AVAIL = 0x1000;
    private static final long USED = 0x2000;
    private static final long HEADER = 0x3000;
    private static final long STATUS = 0x3040;
    private static final long TABLE = 0x4000;
    private static final long DATA = 4 << 20;
    private static final int DATA_BYTES = 4 << 20;
    private static final long DISK_BYTES = 4L << 30;

    private final ManualLoop loop = new ManualLoop();
    private final NativeBlock block = NativeMemory.allocate(MEMORY_BYTES, 4096);
    private final MemorySegment memory = block.segment();
    private final CallBatch calls;
    private final VirtioBlkQueue queue;

    LargestRequestTest() throws IOException {
        VirtioBlkDevice device = new VirtioBlkDevice(() -> new BlockGeometry(DISK_BYTES, 512, 512, 0, false, true, true), 1, 126);
        device.accept(VirtioFeatures.VERSION_1 | VirtioFeatures.INDIRECT_DESC | VirtioFeatures.BLK_FLUSH | VirtioFeatures.BLK_DISCARD);
        GuestMemory map = new GuestMemory(List.of(new MemoryRegion(GUEST, GUEST, NativeMemory.view(block.address(), MEMORY_BYTES))));
        DeviceRing ring = DeviceRing.locate(map, new RingAddresses(GUEST + DESCRIPTORS, GUEST + AVAIL, GUEST + USED), 0, SIZE, 0, device.accepted());
        calls = new CallBatch(loop);
        queue = new VirtioBlkQueue(loop, 0, device, ring, map, calls, PipelineObserver.NONE);
        queue.start(() -> {});
        queue.enabled(true);
    }

    @AfterEach
    void close() {
        queue.close();
        calls.close();
        loop.close();
        block.close();
    }

    /** Makes a read of so many bytes available, the next of the ring. */
    private void offer(int index, long sector, long bytes) {
        VirtioBlkRequestHeader.set(memory, HEADER, 0, sector);
        int entries = 0;
        VirtqDesc.set(memory, TABLE, GUEST + HEADER, 16, VirtqDesc.F_NEXT, ++entries);
        for (long left = bytes; left > 0; left -= DATA_BYTES) {
            VirtqDesc.set(memory, TABLE + (long) entries * VirtqDesc.SIZE, GUEST + DATA, Math.min(left, DATA_BYTES), VirtqDesc.F_WRITE | VirtqDesc.F_NEXT,
                    ++entries);
        }
        VirtqDesc.set(memory, TABLE + (long) entries * VirtqDesc.SIZE, GUEST + STATUS, 1, VirtqDesc.F_WRITE, 0);
        VirtqDesc.set(memory, DESCRIPTORS, GUEST + TABLE, (entries + 1L) * VirtqDesc.SIZE, VirtqDesc.F_INDIRECT, 0);
        VirtqAvail.ring(memory, AVAIL, index & (SIZE - 1), 0);
        VirtqAvail.idxRelease(memory, AVAIL, index + 1);
    }

    private void offerDiscard(int index, long sectors) {
        VirtioBlkRequestHeader.set(memory, HEADER, 11, 0);
        VirtioBlkDiscardSegment.set(memory, DATA, 0, sectors, 0);
        VirtqDesc.set(memory, DESCRIPTORS, GUEST + HEADER, 16, VirtqDesc.F_NEXT, 1);
        VirtqDesc.set(memory, DESCRIPTORS + VirtqDesc.SIZE, GUEST + DATA, 16, VirtqDesc.F_NEXT, 2);
        VirtqDesc.set(memory, DESCRIPTORS + 2 * VirtqDesc.SIZE, GUEST + STATUS, 1, VirtqDesc.F_WRITE, 0);
        VirtqAvail.ring(memory, AVAIL, index & (SIZE - 1), 0);
        VirtqAvail.idxRelease(memory, AVAIL, index + 1);
    }

    private BlockRequest polled() {
        return Objects.requireNonNull(queue.poll());
    }

    private void assertRefused(int index) {
        assertThat(queue.poll()).isNull();
        assertCompleted(index, IOERR, 1);
    }

    private void assertCompleted(int index, byte status, int written) {
        loop.tickUntilIdle();
        assertThat(VirtqUsed.idxAcquire(memory, USED)).isEqualTo(index + 1);
        assertThat(VirtqUsed.elementLen(memory, USED, index & (SIZE - 1))).isEqualTo(written);
        assertThat(memory.get(ValueLayout.JAVA_BYTE, STATUS)).isEqualTo(status);
    }

    @Test
    void shouldServeTheLargestRequestAndNoneThatIsLarger() {
        long most = VirtioBlkDevice.MAX_REQUEST_BYTES;
        offer(0, 0, most);
        BlockRequest largest = polled();
        assertThat(largest.lengthBytes()).isEqualTo(most).isEqualTo(Integer.MAX_VALUE - 4095L);
        assertThat(largest.iovecCount()).isEqualTo((int) ((most + DATA_BYTES - 1) / DATA_BYTES));
        largest.complete((int) most);
        assertCompleted(0, OK, (int) most + 1);

        offer(1, 0, most + 512);
        assertRefused(1);
    }

    @Test
    void shouldServeTheLastSectorAndNoneBehindIt() {
        long sectors = DISK_BYTES / 512;
        offer(0, sectors - 1, 512);
        BlockRequest last = polled();
        assertThat(last.sector()).isEqualTo(sectors - 1);
        last.complete(512);
        assertCompleted(0, OK, 513);

        offer(1, sectors, 512);
        assertRefused(1);
        offer(2, sectors - 1, 1024);
        assertRefused(2);
        offer(3, -1, 512);
        assertRefused(3);
        offer(4, Long.MIN_VALUE, 512);
        assertRefused(4);
    }

    @Test
    void shouldDiscardAsManySectorsAsAnnouncedAndNoMore() {
        long most = VirtioBlkDevice.MAX_REQUEST_BYTES / 512;
        offerDiscard(0, most);
        BlockRequest largest = polled();
        assertThat(largest.lengthBytes()).isEqualTo(VirtioBlkDevice.MAX_REQUEST_BYTES);
        largest.complete(0);
        assertCompleted(0, OK, 1);
        offerDiscard(1, most + 1);
        assertRefused(1);
    }

    /** VIRTIO 1.3 §2.7.8.2: a driver believes that so many bytes were overwritten. */
    @Test
    void shouldCountTheStatusAloneWhenAReadFails() {
        offer(0, 0, 4096);
        polled().complete(-Errno.EIO);
        assertCompleted(0, IOERR, 1);
    }

    @Test
    void shouldSeeWhatIsAvailableWithoutAKick() {
        assertThat(queue.available()).as("an empty ring").isFalse();
        offer(0, 0, 512);
        assertThat(queue.available()).isTrue();
        BlockRequest request = polled();
        assertThat(queue.available()).as("taken").isFalse();
        queue.enabled(false);
        offer(1, 0, 512);
        assertThat(queue.available()).as("disabled").isFalse();
        assertThat(queue.poll()).isNull();
        queue.enabled(true);
        assertThat(queue.available()).isTrue();
        request.complete(512);
        loop.tickUntilIdle();
        polled().complete(512);
        loop.tickUntilIdle();
    }

    @Test
    void shouldNotCloseWhileARequestIsInFlight() {
        offer(0, 0, 512);
        BlockRequest request = polled();
        assertThatThrownBy(queue::close).isInstanceOf(IllegalStateException.class).hasMessageContaining("1 requests out");
        request.complete(512);
        loop.tickUntilIdle();
    }
}
