package dev.sluice.linux;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What the accessors of the kernel's structures write and read, byte by byte; {@link LayoutTest} has the offsets. The memory holds rubbish before. */
class StructAccessTest {
    private static final byte RUBBISH = (byte) 0xA5;

    private final NativeBlock block = NativeMemory.allocate(512, 64);
    private final MemorySegment memory = block.segment();
    private final long base = block.address();

    @BeforeEach
    void spoil() {
        memory.fill(RUBBISH);
    }

    @AfterEach
    void free() {
        block.close();
    }

    private long longAt(long offset) {
        return memory.get(ValueLayout.JAVA_LONG_UNALIGNED, offset);
    }

    private int intAt(long offset) {
        return memory.get(ValueLayout.JAVA_INT_UNALIGNED, offset);
    }

    private short shortAt(long offset) {
        return memory.get(ValueLayout.JAVA_SHORT_UNALIGNED, offset);
    }

    private void untouchedFrom(long offset) {
        assertThat(memory.asSlice(offset).toArray(ValueLayout.JAVA_BYTE)).containsOnly(RUBBISH);
    }

    /** All 64 bytes: what is not set would reach the kernel as it was left by the request before. */
    private void iocb(int opcode, int fd, long buffer, long bytes, long offset, int rwFlags, long data) {
        assertThat(longAt(Iocb.DATA_OFFSET)).isEqualTo(data);
        assertThat(intAt(Iocb.KEY_OFFSET)).isZero();
        assertThat(intAt(Iocb.RW_FLAGS_OFFSET)).isEqualTo(rwFlags);
        assertThat(shortAt(Iocb.OPCODE_OFFSET)).isEqualTo((short) opcode);
        assertThat(shortAt(Iocb.PRIORITY_OFFSET)).isZero();
        assertThat(intAt(Iocb.FD_OFFSET)).isEqualTo(fd);
        assertThat(longAt(Iocb.BUFFER_OFFSET)).isEqualTo(buffer);
        assertThat(longAt(Iocb.BYTES_OFFSET)).isEqualTo(bytes);
        assertThat(longAt(Iocb.FILE_OFFSET_OFFSET)).isEqualTo(offset);
        assertThat(longAt(Iocb.RESERVED_OFFSET)).isZero();
        assertThat(intAt(Iocb.FLAGS_OFFSET)).isZero();
        assertThat(intAt(Iocb.RESULT_FD_OFFSET)).isZero();
        untouchedFrom(Iocb.SIZE);
    }

    @Test
    void shouldSetEveryFieldOfAnIocb() {
        Iocb.setVectored(base, Iocb.IOCB_CMD_PWRITEV, 7, 0x1_2345_6789L, 3, 0x9_8765_4321L, 2, -4);
        iocb(8, 7, 0x1_2345_6789L, 3, 0x9_8765_4321L, 2, -4);
        assertThat(Iocb.opcode(base)).isEqualTo(Iocb.IOCB_CMD_PWRITEV);
        assertThat(Iocb.data(base)).isEqualTo(-4);
        spoil();
        Iocb.setBuffer(base, Iocb.IOCB_CMD_PREAD, 8, 0x1_0000_0000L, 0x2_0000_0000L, 512, 1, 6);
        iocb(0, 8, 0x1_0000_0000L, 0x2_0000_0000L, 512, 1, 6);
        spoil();
        Iocb.setDataSync(base, 9, 7);
        iocb(3, 9, 0, 0, 0, 0, 7);
        Iocb.setResultFd(base, 12);
        assertThat(intAt(Iocb.FLAGS_OFFSET)).isEqualTo(Iocb.IOCB_FLAG_RESFD);
        assertThat(intAt(Iocb.RESULT_FD_OFFSET)).isEqualTo(12);
    }

    @Test
    void shouldSetAndReadAnIovecOfAnArray() {
        for (int index = 0; index < 3; index++) {
            Iovec.set(base, index, 0x1_0000_0000L + index, 0x2_0000_0000L + index);
        }
        untouchedFrom(3 * Iovec.SIZE);
        for (int index = 0; index < 3; index++) {
            assertThat(Iovec.address(base, index)).isEqualTo(base + 16L * index);
            assertThat(longAt(16L * index)).isEqualTo(0x1_0000_0000L + index).isEqualTo(Iovec.base(base, index));
            assertThat(longAt(16L * index + 8)).isEqualTo(0x2_0000_0000L + index).isEqualTo(Iovec.length(base, index));
        }
    }

    @Test
    void shouldReadAnEventOfAnAioRing() {
        for (int i = 0; i < 64; i++) {
            memory.setAtIndex(ValueLayout.JAVA_LONG, i, 1000 + i);
        }
        for (int index = 0; index < 3; index++) {
            long event = AioRing.event(base, index);
            assertThat(event).isEqualTo(base + 32 + 32L * index).isEqualTo(IoEvent.address(base + 32, index));
            assertThat(IoEvent.data(event)).isEqualTo(1004 + 4L * index);
            assertThat(IoEvent.iocb(event)).isEqualTo(1005 + 4L * index);
            assertThat(IoEvent.result(event)).isEqualTo(1006 + 4L * index);
        }
    }

    @Test
    void shouldReadResultsOfAnEventThatAreErrnosOrLong() {
        for (long result : new long[] {-Errno.EIO, 0, Integer.MAX_VALUE, 1L << 40}) {
            memory.set(ValueLayout.JAVA_LONG, IoEvent.RESULT_OFFSET, result);
            assertThat(IoEvent.result(base)).isEqualTo(result);
        }
    }

    @Test
    void shouldReadAndAdvanceAnAioRing() {
        int[] header = {11, 12, 13, 14, AioRing.MAGIC, 1, 0, 32};
        for (int i = 0; i < header.length; i++) {
            memory.setAtIndex(ValueLayout.JAVA_INT, i, header[i]);
        }
        assertThat(AioRing.count(base)).isEqualTo(12);
        assertThat(AioRing.head(base)).isEqualTo(13);
        assertThat(AioRing.tail(base)).isEqualTo(14);
        AioRing.advanceHead(base, 99);
        assertThat(intAt(AioRing.HEAD_OFFSET)).isEqualTo(99);
        assertThat(AioRing.isUsable(base)).isTrue();
        // Another magic number, incompatible features, another length of the header.
        for (int changed : new int[] {4, 6, 7}) {
            memory.setAtIndex(ValueLayout.JAVA_INT, changed, header[changed] + 1);
            assertThat(AioRing.isUsable(base)).as("word " + changed).isFalse();
            memory.setAtIndex(ValueLayout.JAVA_INT, changed, header[changed]);
        }
        memory.setAtIndex(ValueLayout.JAVA_INT, 5, 77);
        assertThat(AioRing.isUsable(base)).as("compatible features").isTrue();
    }
}
