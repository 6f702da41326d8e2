package dev.sluice.virtio.blk;

import static dev.sluice.virtio.blk.QueueUnderTest.F_INDIRECT;
import static dev.sluice.virtio.blk.QueueUnderTest.F_NEXT;
import static dev.sluice.virtio.blk.QueueUnderTest.F_WRITE;
import static dev.sluice.virtio.blk.QueueUnderTest.STATUS_UNTOUCHED;
import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.linux.Iovec;
import dev.sluice.linux.Mapping;
import dev.sluice.pipeline.BlockOp;
import dev.sluice.pipeline.BlockRequest;
import dev.sluice.virtio.blk.QueueUnderTest.Used;
import dev.sluice.virtio.layout.VirtioBlkDiscardSegment;
import dev.sluice.virtio.layout.VirtioBlkRequestHeader;
import dev.sluice.virtio.layout.VirtqDesc;
import dev.sluice.virtio.queue.GuestMemory;
import dev.sluice.virtio.queue.MemoryRegion;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A guest with a memory region of 9 GiB: no address in it, and no offset, is cut to 31 or 32 bits. Only the pages that a test touches take memory. */
final class LargeMemoryTest extends BareQueue {
    private static final long GIB = 1L << 30;
    private static final long REGION_BYTES = 9 * GIB;
    private static final long REGION = 1L << 40;
    private static final long USER = 0x6000_0000_0000L;
    private static final int OUT = 1;
    private static final int DISCARD = 11;

    private final Mapping mapping;
    private final MemorySegment memory;
    private GuestMemory map = GuestMemory.NONE;

    LargeMemoryTest() throws IOException {
        int flags = Mapping.MAP_PRIVATE | Mapping.MAP_ANONYMOUS | Mapping.MAP_NORESERVE;
        mapping = Mapping.map(-1, 0, REGION_BYTES, Mapping.PROT_READ | Mapping.PROT_WRITE, flags);
        memory = mapping.view(0, REGION_BYTES);
    }

    @BeforeEach
    void addRegion() {
        List<MemoryRegion> regions = new ArrayList<>(guest.memory.regions());
        regions.add(new MemoryRegion(REGION, USER, memory));
        map = new GuestMemory(regions);
        queue.memory(map);
    }

    @AfterEach
    void unmap() {
        mapping.close();
    }

    private void offerChain(long at, int type, long sector, int dataFlags, long dataBytes, boolean indirect) {
        VirtioBlkRequestHeader.set(memory, at, type, sector);
        memory.set(ValueLayout.JAVA_BYTE, at + 0x100, STATUS_UNTOUCHED);
        if (indirect) {
            VirtqDesc.set(memory, at + 0x200, REGION + at, 16, F_NEXT, 1);
            VirtqDesc.set(memory, at + 0x210, REGION + at + 0x1000, dataBytes, dataFlags | F_NEXT, 2);
            VirtqDesc.set(memory, at + 0x220, REGION + at + 0x100, 1, F_WRITE, 0);
            guest.desc(0, REGION + at + 0x200, 3 * 16, F_INDIRECT, 0);
        } else {
            guest.desc(0, REGION + at, 16, F_NEXT, 1);
            guest.desc(1, REGION + at + 0x1000, dataBytes, dataFlags | F_NEXT, 2);
            guest.desc(2, REGION + at + 0x100, 1, F_WRITE, 0);
        }
        guest.offer(0);
        guest.publish();
    }

    private void complete(long at, BlockRequest request, int result, int usedBytes) {
        request.submitted();
        request.complete(result);
        assertThat(usedAfterTick()).containsExactly(new Used(0, usedBytes));
        assertThat(memory.get(ValueLayout.JAVA_BYTE, at + 0x100)).as("the status").isZero();
    }

    @ParameterizedTest
    @ValueSource(longs = {0, GIB, 2 * GIB, 3 * GIB + 0x4000, 4 * GIB, 5 * GIB + 0x4000, 8 * GIB, REGION_BYTES - 0x4000})
    void shouldReachWhatLiesFarIntoARegion(long at) {
        assertThat(map.ring(USER + at, 0x4000)).isNotNull().satisfies(ring -> assertThat(ring.address()).isEqualTo(mapping.address() + at));
        for (boolean indirect : new boolean[] {false, true}) {
            for (int type : new int[] {IN, OUT}) {
                offerChain(at, type, 5, type == IN ? F_WRITE : 0, 0x2000, indirect);
                BlockRequest request = polled();
                assertThat(request.op()).isEqualTo(type == IN ? BlockOp.READ : BlockOp.WRITE);
                assertThat(request.sector()).isEqualTo(5);
                assertThat(request.iovecCount()).isEqualTo(1);
                assertThat(Iovec.base(request.iovecsAddress(), 0)).isEqualTo(mapping.address() + at + 0x1000);
                assertThat(Iovec.length(request.iovecsAddress(), 0)).isEqualTo(0x2000);
                complete(at, request, 0x2000, type == IN ? 0x2001 : 1);
            }
            VirtioBlkDiscardSegment.set(memory, at + 0x1000, 7, 9, 0);
            offerChain(at, DISCARD, 0, 0, VirtioBlkDiscardSegment.SIZE, indirect);
            BlockRequest discard = polled();
            assertThat(discard.op()).isEqualTo(BlockOp.DISCARD);
            assertThat(discard.sector()).isEqualTo(7);
            assertThat(discard.lengthBytes()).isEqualTo(9 * 512);
            complete(at, discard, 0, 1);
        }
    }
}
