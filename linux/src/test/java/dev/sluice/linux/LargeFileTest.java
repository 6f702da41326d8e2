package dev.sluice.linux;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Calls at places beyond 2 and 4 GiB of a sparse file: offsets and lengths reach the kernel with all their bits. */
class LargeFileTest {
    private static final long GIB = 1L << 30;
    private static final long SIZE = 20 * GIB;
    private static final int BYTES = 512;

    private final Fd file = Fd.adopt(Memfd.create("large", Memfd.MFD_CLOEXEC));
    private final NativeBlock block = NativeMemory.allocate(2L * BYTES, 512);
    private final NativeBlock iovecs = NativeMemory.allocate(2L * Iovec.SIZE, 16);
    private final MemorySegment memory = block.segment();

    @BeforeEach
    void enlarge() {
        assertThat(LinuxFile.ftruncate(file.number(), SIZE)).isZero();
        Iovec.set(iovecs.address(), 0, block.address(), BYTES / 2);
        Iovec.set(iovecs.address(), 1, block.address() + BYTES / 2, BYTES / 2);
    }

    @AfterEach
    void close() {
        file.close();
        block.close();
        iovecs.close();
    }

    private void requireFile(long offset, int value) {
        memory.fill((byte) 0x55);
        assertThat(LinuxFile.pread(file.number(), block.address(), BYTES, offset)).isEqualTo(BYTES);
        assertThat(memory.asSlice(0, BYTES).toArray(ValueLayout.JAVA_BYTE)).as("at %d", offset).containsOnly(value);
    }

    /** The places that an offset of fewer bits would be. */
    private void requireNothingElsewhere(long offset) {
        for (int bits : new int[] {31, 32}) {
            long cut = offset & ((1L << bits) - 1);
            if (cut != offset) {
                requireFile(cut, 0);
            }
        }
    }

    @ParameterizedTest
    @ValueSource(longs = {0, 2 * GIB - BYTES, 2 * GIB, 3 * GIB, 4 * GIB, 4 * GIB + BYTES, 19 * GIB})
    void shouldWriteAndReadThere(long offset) {
        memory.fill((byte) 1);
        assertThat(LinuxFile.pwrite(file.number(), block.address(), BYTES, offset)).isEqualTo(BYTES);
        requireFile(offset, 1);
        requireNothingElsewhere(offset);
        memory.fill((byte) 2);
        assertThat(LinuxFile.pwritev2(file.number(), iovecs.address(), 2, offset, 0)).isEqualTo(BYTES);
        requireFile(offset, 2);
        memory.fill((byte) 3);
        assertThat(LinuxFile.pwritev2(file.number(), iovecs.address(), 2, offset, LinuxFile.RWF_DSYNC)).isEqualTo(BYTES);
        requireFile(offset, 3);
        requireNothingElsewhere(offset);
        memory.fill((byte) 0);
        assertThat(LinuxFile.preadv2(file.number(), iovecs.address(), 2, offset, 0)).isEqualTo(BYTES);
        assertThat(memory.asSlice(0, BYTES).toArray(ValueLayout.JAVA_BYTE)).containsOnly(3);
    }

    @Test
    void shouldSeekAndTruncateThere() {
        memory.fill((byte) 1);
        assertThat(LinuxFile.lseek(file.number(), 0, LinuxFile.SEEK_END)).isEqualTo(SIZE);
        assertThat(LinuxFile.lseek(file.number(), 5 * GIB + 7, LinuxFile.SEEK_SET)).isEqualTo(5 * GIB + 7);
        assertThat(LinuxFile.write(file.number(), block.address(), BYTES)).isEqualTo(BYTES);
        requireFile(5 * GIB + 7, 1);
        assertThat(LinuxFile.ftruncate(file.number(), 5 * GIB + 7)).isZero();
        assertThat(LinuxFile.lseek(file.number(), 0, LinuxFile.SEEK_END)).isEqualTo(5 * GIB + 7);
    }

    @Test
    void shouldPunchARangeOfManyGibibytes() {
        int punch = LinuxFile.FALLOC_FL_PUNCH_HOLE | LinuxFile.FALLOC_FL_KEEP_SIZE;
        memory.fill((byte) 1);
        for (long offset : new long[] {0, GIB, 5 * GIB, 9 * GIB, 18 * GIB}) {
            assertThat(LinuxFile.pwrite(file.number(), block.address(), BYTES, offset)).isEqualTo(BYTES);
        }
        assertThat(LinuxFile.fallocate(file.number(), punch, 4 * GIB + 4096, 6 * GIB)).isZero();
        requireFile(0, 1);
        requireFile(GIB, 1);
        requireFile(5 * GIB, 0);
        requireFile(9 * GIB, 0);
        requireFile(18 * GIB, 1);
    }
}
