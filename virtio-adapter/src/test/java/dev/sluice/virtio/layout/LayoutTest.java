package dev.sluice.virtio.layout;

import static java.lang.foreign.MemoryLayout.PathElement.groupElement;
import static java.lang.foreign.MemoryLayout.PathElement.sequenceElement;
import static java.lang.foreign.MemoryLayout.paddingLayout;
import static java.lang.foreign.MemoryLayout.sequenceLayout;
import static java.lang.foreign.MemoryLayout.structLayout;
import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.foreign.Arena;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.StructLayout;
import java.util.HexFormat;
import java.util.List;
import java.util.function.BiConsumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Offsets against struct declarations, accessors against bytes. */
final class LayoutTest {
    /** VIRTIO 1.3 §2.7.5. */
    private static final StructLayout DESC = structLayout(
            JAVA_LONG.withName("addr"),
            JAVA_INT.withName("len"),
            JAVA_SHORT.withName("flags"),
            JAVA_SHORT.withName("next"));

    /** VIRTIO 1.3 §5.2.6. */
    private static final StructLayout REQUEST =
            structLayout(JAVA_INT.withName("type"), JAVA_INT.withName("reserved"), JAVA_LONG.withName("sector"));

    /** VIRTIO 1.3 §5.2.6. */
    private static final StructLayout DISCARD = structLayout(
            JAVA_LONG.withName("sector"), JAVA_INT.withName("num_sectors"), JAVA_INT.withName("flags"));

    /** VIRTIO 1.3 §5.2.4. */
    private static final StructLayout CONFIG = structLayout(
            JAVA_LONG.withName("capacity"),
            JAVA_INT.withName("size_max"),
            JAVA_INT.withName("seg_max"),
            structLayout(JAVA_SHORT.withName("cylinders"), JAVA_BYTE.withName("heads"), JAVA_BYTE.withName("sectors"))
                    .withName("geometry"),
            JAVA_INT.withName("blk_size"),
            JAVA_BYTE.withName("physical_block_exp"),
            JAVA_BYTE.withName("alignment_offset"),
            JAVA_SHORT.withName("min_io_size"),
            JAVA_INT.withName("opt_io_size"),
            JAVA_BYTE.withName("writeback"),
            JAVA_BYTE.withName("unused0"),
            JAVA_SHORT.withName("num_queues"),
            JAVA_INT.withName("max_discard_sectors"),
            JAVA_INT.withName("max_discard_seg"),
            JAVA_INT.withName("discard_sector_alignment"),
            JAVA_INT.withName("max_write_zeroes_sectors"),
            JAVA_INT.withName("max_write_zeroes_seg"),
            JAVA_BYTE.withName("write_zeroes_may_unmap"),
            sequenceLayout(3, JAVA_BYTE).withName("unused1"),
            JAVA_INT.withName("max_secure_erase_sectors"),
            JAVA_INT.withName("max_secure_erase_seg"),
            JAVA_INT.withName("secure_erase_sector_alignment"),
            structLayout(
                    JAVA_INT.withName("zone_sectors"),
                    JAVA_INT.withName("max_open_zones"),
                    JAVA_INT.withName("max_active_zones"),
                    JAVA_INT.withName("max_append_sectors"),
                    JAVA_INT.withName("write_granularity"),
                    JAVA_BYTE.withName("model"),
                    sequenceLayout(3, JAVA_BYTE).withName("unused2"))
                    .withName("zoned"));

    private static StructLayout avail(int size) {
        return structLayout(
                JAVA_SHORT.withName("flags"),
                JAVA_SHORT.withName("idx"),
                sequenceLayout(size, JAVA_SHORT).withName("ring"),
                JAVA_SHORT.withName("used_event"));
    }

    /** FFM pads nothing by itself: 4 + 8 n + 2 bytes, as the specification counts. */
    private static StructLayout used(int size) {
        StructLayout element = structLayout(JAVA_INT.withName("id"), JAVA_INT.withName("len"));
        return structLayout(
                JAVA_SHORT.withName("flags"),
                JAVA_SHORT.withName("idx"),
                sequenceLayout(size, element).withName("ring"),
                JAVA_SHORT.withName("avail_event"));
    }

    private static long offset(MemoryLayout layout, String field) {
        return layout.byteOffset(groupElement(field));
    }

    @Test
    void shouldPlaceDescriptorFieldsWhereTheSpecDoes() {
        assertThat(DESC.byteSize()).isEqualTo(VirtqDesc.SIZE);
        assertThat(offset(DESC, "addr")).isEqualTo(VirtqDesc.ADDR);
        assertThat(offset(DESC, "len")).isEqualTo(VirtqDesc.LEN);
        assertThat(offset(DESC, "flags")).isEqualTo(VirtqDesc.FLAGS);
        assertThat(offset(DESC, "next")).isEqualTo(VirtqDesc.NEXT);
    }

    @Test
    void shouldPlaceRequestFieldsWhereTheSpecDoes() {
        assertThat(REQUEST.byteSize()).isEqualTo(VirtioBlkRequestHeader.SIZE);
        assertThat(offset(REQUEST, "type")).isEqualTo(VirtioBlkRequestHeader.TYPE);
        assertThat(offset(REQUEST, "sector")).isEqualTo(VirtioBlkRequestHeader.SECTOR);
        assertThat(DISCARD.byteSize()).isEqualTo(VirtioBlkDiscardSegment.SIZE);
        assertThat(offset(DISCARD, "sector")).isEqualTo(VirtioBlkDiscardSegment.SECTOR);
        assertThat(offset(DISCARD, "num_sectors")).isEqualTo(VirtioBlkDiscardSegment.NUM_SECTORS);
        assertThat(offset(DISCARD, "flags")).isEqualTo(VirtioBlkDiscardSegment.FLAGS);
    }

    @Test
    void shouldPlaceConfigFieldsWhereTheSpecDoes() {
        assertThat(CONFIG.byteSize()).isEqualTo(VirtioBlkConfig.SIZE);
        assertThat(offset(CONFIG, "capacity")).isEqualTo(VirtioBlkConfig.CAPACITY);
        assertThat(offset(CONFIG, "size_max")).isEqualTo(VirtioBlkConfig.SIZE_MAX);
        assertThat(offset(CONFIG, "seg_max")).isEqualTo(VirtioBlkConfig.SEG_MAX);
        assertThat(offset(CONFIG, "blk_size")).isEqualTo(VirtioBlkConfig.BLK_SIZE);
        assertThat(offset(CONFIG, "physical_block_exp")).isEqualTo(VirtioBlkConfig.PHYSICAL_BLOCK_EXP);
        assertThat(offset(CONFIG, "alignment_offset")).isEqualTo(VirtioBlkConfig.ALIGNMENT_OFFSET);
        assertThat(offset(CONFIG, "min_io_size")).isEqualTo(VirtioBlkConfig.MIN_IO_SIZE);
        assertThat(offset(CONFIG, "opt_io_size")).isEqualTo(VirtioBlkConfig.OPT_IO_SIZE);
        assertThat(offset(CONFIG, "writeback")).isEqualTo(VirtioBlkConfig.WRITEBACK);
        assertThat(offset(CONFIG, "num_queues")).isEqualTo(VirtioBlkConfig.NUM_QUEUES);
        assertThat(offset(CONFIG, "max_discard_sectors")).isEqualTo(VirtioBlkConfig.MAX_DISCARD_SECTORS);
        assertThat(offset(CONFIG, "max_discard_seg")).isEqualTo(VirtioBlkConfig.MAX_DISCARD_SEG);
        assertThat(offset(CONFIG, "discard_sector_alignment")).isEqualTo(VirtioBlkConfig.DISCARD_SECTOR_ALIGNMENT);
        assertThat(offset(CONFIG, "max_write_zeroes_sectors")).isEqualTo(VirtioBlkConfig.MAX_WRITE_ZEROES_SECTORS);
        assertThat(offset(CONFIG, "max_write_zeroes_seg")).isEqualTo(VirtioBlkConfig.MAX_WRITE_ZEROES_SEG);
        assertThat(offset(CONFIG, "write_zeroes_may_unmap")).isEqualTo(VirtioBlkConfig.WRITE_ZEROES_MAY_UNMAP);
    }

    @Test
    void shouldPlaceMessageFieldsWhereTheProtocolDoes() {
        StructLayout header =
                structLayout(JAVA_INT.withName("request"), JAVA_INT.withName("flags"), JAVA_INT.withName("size"));
        StructLayout region = structLayout(
                JAVA_LONG.withName("guest_address"),
                JAVA_LONG.withName("size"),
                JAVA_LONG.withName("user_address"),
                JAVA_LONG.withName("mmap_offset"));
        assertThat(header.byteSize()).isEqualTo(VhostUser.HEADER_SIZE);
        assertThat(offset(header, "request")).isEqualTo(VhostUser.HEADER_REQUEST);
        assertThat(offset(header, "flags")).isEqualTo(VhostUser.HEADER_FLAGS);
        assertThat(offset(header, "size")).isEqualTo(VhostUser.HEADER_PAYLOAD_BYTES);
        assertThat(structLayout(JAVA_INT, JAVA_INT).byteSize()).isEqualTo(VhostUser.VRING_STATE_SIZE);
        assertThat(structLayout(JAVA_INT, JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG).byteSize())
                .isEqualTo(VhostUser.VRING_ADDR_SIZE);
        assertThat(region.byteSize()).isEqualTo(VhostUser.REGION_SIZE);
        assertThat(structLayout(JAVA_INT, paddingLayout(4)).byteSize()).isEqualTo(VhostUser.MEM_TABLE_HEADER_SIZE);
        assertThat(structLayout(JAVA_LONG, region).byteSize()).isEqualTo(VhostUser.MEM_REG_SIZE);
        assertThat(structLayout(JAVA_INT, JAVA_INT, JAVA_INT).byteSize()).isEqualTo(VhostUser.CONFIG_HEADER_SIZE);
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 256, 32_768})
    void shouldPlaceRingsWhereTheSpecDoes(int size) {
        StructLayout avail = avail(size);
        StructLayout used = used(size);
        assertThat(avail.byteSize()).isEqualTo(VirtqAvail.sizeBytes(size, true)).isEqualTo(VirtqAvail.sizeBytes(size, false) + 2);
        assertThat(offset(avail, "flags")).isEqualTo(VirtqAvail.FLAGS);
        assertThat(offset(avail, "idx")).isEqualTo(VirtqAvail.IDX);
        assertThat(offset(avail, "ring")).isEqualTo(VirtqAvail.RING);
        assertThat(used.byteSize()).isEqualTo(VirtqUsed.sizeBytes(size, true)).isEqualTo(VirtqUsed.sizeBytes(size, false) + 2);
        assertThat(offset(used, "flags")).isEqualTo(VirtqUsed.FLAGS);
        assertThat(offset(used, "idx")).isEqualTo(VirtqUsed.IDX);
        assertThat(offset(used, "ring")).isEqualTo(VirtqUsed.RING);
    }

    @Test
    void shouldReadAndWriteRingsAtTheOffsetsOfTheStruct() {
        int size = 8;
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment memory = arena.allocate(256, 16);
            long base = 64;
            VirtqAvail.flags(memory, base, 1);
            VirtqAvail.idxRelease(memory, base, 0xFEDC);
            VirtqAvail.ring(memory, base, 7, 0xABCD);
            VirtqAvail.usedEvent(memory, base, size, 0x1234);
            StructLayout avail = avail(size);
            assertThat(u16(memory, base + offset(avail, "flags"))).isEqualTo(1);
            assertThat(u16(memory, base + offset(avail, "idx"))).isEqualTo(0xFEDC);
            assertThat(u16(memory, base + avail.byteOffset(groupElement("ring"), sequenceElement(7))))
                    .isEqualTo(0xABCD);
            assertThat(u16(memory, base + offset(avail, "used_event"))).isEqualTo(0x1234);
            assertThat(VirtqAvail.flags(memory, base)).isEqualTo(1);
            assertThat(VirtqAvail.idxAcquire(memory, base)).isEqualTo(0xFEDC);
            assertThat(VirtqAvail.ring(memory, base, 7)).isEqualTo(0xABCD);
            assertThat(VirtqAvail.usedEvent(memory, base, size)).isEqualTo(0x1234);

            memory.fill((byte) 0);
            VirtqUsed.flags(memory, base, 1);
            VirtqUsed.idxRelease(memory, base, 0xFEDC);
            VirtqUsed.element(memory, base, 7, 0x89ABCDEF, 0xFEDCBA98);
            VirtqUsed.availEvent(memory, base, size, 0x8765);
            StructLayout used = used(size);
            assertThat(u16(memory, base + offset(used, "flags"))).isEqualTo(1);
            assertThat(u16(memory, base + offset(used, "idx"))).isEqualTo(0xFEDC);
            assertThat(u16(memory, base + used.byteOffset(groupElement("ring"), sequenceElement(7), groupElement("id"))))
                    .isEqualTo(0xCDEF);
            assertThat(u16(memory, base + used.byteOffset(groupElement("ring"), sequenceElement(7), groupElement("len"))))
                    .isEqualTo(0xBA98);
            assertThat(u16(memory, base + offset(used, "avail_event"))).isEqualTo(0x8765);
            assertThat(VirtqUsed.flags(memory, base)).isEqualTo(1);
            assertThat(VirtqUsed.idxAcquire(memory, base)).isEqualTo(0xFEDC);
            assertThat(VirtqUsed.elementId(memory, base, 7)).isEqualTo(0x89ABCDEF);
            assertThat(VirtqUsed.elementLen(memory, base, 7)).isEqualTo(0xFEDCBA98);
            assertThat(VirtqUsed.availEvent(memory, base, size)).isEqualTo(0x8765);
        }
    }

    /** Byte by byte, so that neither the struct nor the machine decides the order. */
    private static int u16(MemorySegment memory, long offset) {
        return (memory.get(JAVA_BYTE, offset) & 0xFF) | (memory.get(JAVA_BYTE, offset + 1) & 0xFF) << 8;
    }

    @Test
    void shouldWriteStructuresInLittleEndian() {
        MemorySegment memory = Arena.ofAuto().allocate(16, 16);
        VirtqDesc.set(memory, 0, 0x1122334455667788L, 0x99AABBCCL, 0xDDEE, 0xFF01);
        assertThat(hex(memory)).isEqualTo("8877665544332211ccbbaa99eedd01ff");
        assertThat(VirtqDesc.addr(memory, 0)).isEqualTo(0x1122334455667788L);
        assertThat(VirtqDesc.len(VirtqDesc.lenFlagsNext(memory, 0))).isEqualTo(0x99AABBCCL);
        assertThat(VirtqDesc.flags(VirtqDesc.lenFlagsNext(memory, 0))).isEqualTo(0xDDEE);
        assertThat(VirtqDesc.next(VirtqDesc.lenFlagsNext(memory, 0))).isEqualTo(0xFF01);
        memory.fill((byte) 0x55);
        VirtioBlkRequestHeader.set(memory, 0, 0x0D, 0x1122334455667788L);
        assertThat(hex(memory)).isEqualTo("0d000000000000008877665544332211");
        assertThat(VirtioBlkRequestHeader.type(memory, 0)).isEqualTo(0x0D);
        assertThat(VirtioBlkRequestHeader.sector(memory, 0)).isEqualTo(0x1122334455667788L);
        VirtioBlkDiscardSegment.set(memory, 0, 0x1122334455667788L, 0x99AABBCCL, 1);
        assertThat(hex(memory)).isEqualTo("8877665544332211ccbbaa9901000000");
        assertThat(VirtioBlkDiscardSegment.sector(memory, 0)).isEqualTo(0x1122334455667788L);
        assertThat(VirtioBlkDiscardSegment.numSectors(memory, 0)).isEqualTo(0x99AABBCCL);
        assertThat(VirtioBlkDiscardSegment.flags(memory, 0)).isEqualTo(1);
    }

    @Test
    void shouldRefuseSharedMemoryBeyondItsEndOrOnTheHeap() {
        MemorySegment whole = Arena.ofAuto().allocate(64, 16);
        MemorySegment memory = whole.asSlice(0, 32);
        List<BiConsumer<MemorySegment, Long>> words = List.of((m, at) -> SharedMemory.u16(m, at), (m, at) -> SharedMemory.u16(m, at, 0x1234),
                (m, at) -> SharedMemory.u16Acquire(m, at), (m, at) -> SharedMemory.u16Release(m, at, 0x1234));
        List<BiConsumer<MemorySegment, Long>> doubleWords = List.of((m, at) -> SharedMemory.u32(m, at), (m, at) -> SharedMemory.u32(m, at, 0x12345678));
        List<BiConsumer<MemorySegment, Long>> quadWords = List.of((m, at) -> SharedMemory.u64(m, at), (m, at) -> SharedMemory.u64(m, at, 0x12345678L));
        requireBounds(memory, 2, words);
        requireBounds(memory, 4, doubleWords);
        requireBounds(memory, 8, quadWords);
        assertThat(whole.asSlice(32).toArray(JAVA_BYTE)).containsOnly(0);
    }

    private static void requireBounds(MemorySegment memory, int bytes, List<BiConsumer<MemorySegment, Long>> accesses) {
        for (BiConsumer<MemorySegment, Long> access : accesses) {
            access.accept(memory, 0L);
            access.accept(memory, 32L - bytes);
            for (long outside : new long[] {-bytes, -1, 33 - bytes, 32, Long.MAX_VALUE, Long.MIN_VALUE}) {
                assertThatThrownBy(() -> access.accept(memory, outside)).as("%d bytes at %d", bytes, outside).isInstanceOf(IndexOutOfBoundsException.class);
            }
            assertThatThrownBy(() -> access.accept(MemorySegment.ofArray(new long[4]), 0L)).hasMessage("shared memory is native memory");
        }
    }

    @Test
    void shouldReadAndWritePrivateFieldsUnsignedAndInLittleEndian() {
        MemorySegment memory = MemorySegment.ofArray(new byte[16]);
        VirtioBlkConfig.u8(memory, 1, 0xFE);
        assertThat(hex(memory)).isEqualTo("00fe0000000000000000000000000000");
        assertThat(VirtioBlkConfig.u8(memory, 1)).isEqualTo(0xFE);
        VirtioBlkConfig.u16(memory, 1, 0xFEDC);
        assertThat(hex(memory)).isEqualTo("00dcfe00000000000000000000000000");
        assertThat(VirtioBlkConfig.u16(memory, 1)).isEqualTo(0xFEDC);
        VirtioBlkConfig.u32(memory, 1, 0xFEDCBA98L);
        assertThat(hex(memory)).isEqualTo("0098badcfe0000000000000000000000");
        assertThat(VirtioBlkConfig.u32(memory, 1)).isEqualTo(0xFEDCBA98L);
        VirtioBlkConfig.u64(memory, 1, 0xFEDCBA9876543210L);
        assertThat(hex(memory)).isEqualTo("001032547698badcfe00000000000000");
        assertThat(VirtioBlkConfig.u64(memory, 1)).isEqualTo(0xFEDCBA9876543210L);
        memory.fill((byte) 0);
        VhostUser.u32(memory, 1, 0x89ABCDEF);
        assertThat(hex(memory)).isEqualTo("00efcdab890000000000000000000000");
        assertThat(VhostUser.u32(memory, 1)).isEqualTo(0x89ABCDEF);
        VhostUser.u64(memory, 1, 0x0123456789ABCDEFL);
        assertThat(hex(memory)).isEqualTo("00efcdab896745230100000000000000");
        assertThat(VhostUser.u64(memory, 1)).isEqualTo(0x0123456789ABCDEFL);
    }

    private static String hex(MemorySegment memory) {
        return HexFormat.of().formatHex(memory.toArray(JAVA_BYTE));
    }

    /** VIRTIO 1.3 §2.7.10.1: a notification where an entry with the index avail_event is written. */
    @Test
    void shouldNeedAnEventExactlyWhereItsIndexIsPassed() {
        int[] starts = {0, 1, 100, 32_767, 32_768, 65_500, 65_534, 65_535};
        for (int old : starts) {
            for (int moved = 0; moved < 40; moved++) {
                for (int distance = -45; distance < 45; distance++) {
                    int event = (old + distance) & 0xFFFF;
                    boolean passed = distance >= 0 && distance < moved;
                    assertThat(VirtqUsed.needsEvent(event, (old + moved) & 0xFFFF, old))
                            .as("from %d by %d, event %d", old, moved, event)
                            .isEqualTo(passed);
                }
            }
        }
    }
}
