package dev.sluice.aio.sink;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sluice.aio.raw.DirectAlignment;
import dev.sluice.linux.Fd;
import dev.sluice.linux.Iovec;
import dev.sluice.linux.LinuxFile;
import dev.sluice.linux.Mapping;
import dev.sluice.linux.Memfd;
import dev.sluice.linux.NativeBlock;
import dev.sluice.linux.NativeMemory;
import java.io.IOException;
import java.lang.foreign.ValueLayout;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class IovecCursorTest {
    private static final long PAGE = Mapping.pageBytes();

    @Test
    void shouldCutTheElementForTheKernelAndPutItBack() {
        try (NativeBlock iovecs = NativeMemory.allocate(3L * Iovec.SIZE, 16)) {
            for (int i = 0; i < 3; i++) {
                Iovec.set(iovecs.address(), i, 1000L * (i + 1), 100);
            }
            IovecCursor cursor = new IovecCursor();
            cursor.begin(iovecs.address(), 3);
            cursor.advance(130);
            cursor.cutElement();
            assertThat(cursor.elementAddress()).isEqualTo(iovecs.address() + Iovec.SIZE);
            assertThat(cursor.elementCount()).isEqualTo(2);
            assertThat(Iovec.base(iovecs.address(), 1)).isEqualTo(2030);
            assertThat(Iovec.length(iovecs.address(), 1)).isEqualTo(70);
            cursor.cutElement();
            assertThat(Iovec.length(iovecs.address(), 1)).as("cut once, however often a call is refused").isEqualTo(70);
            cursor.advance(20);
            cursor.cutElement();
            assertThat(Iovec.base(iovecs.address(), 1)).isEqualTo(2050);
            assertThat(Iovec.length(iovecs.address(), 1)).isEqualTo(50);
            cursor.advance(50);
            cursor.cutElement();
            assertThat(Iovec.base(iovecs.address(), 1)).isEqualTo(2000);
            assertThat(Iovec.length(iovecs.address(), 1)).isEqualTo(100);
            assertThat(cursor.elementCount()).isEqualTo(1);
            cursor.advance(100);
            assertThat(cursor.elementCount()).isZero();
        }
    }

    @Test
    void shouldJudgeAlignmentOfAllThatIsLeft() {
        DirectAlignment sectors = new DirectAlignment(512, 512);
        try (NativeBlock iovecs = NativeMemory.allocate(2L * Iovec.SIZE, 16)) {
            Iovec.set(iovecs.address(), 0, 4096 + 8, 512);
            Iovec.set(iovecs.address(), 1, 8192, 1024);
            IovecCursor cursor = new IovecCursor();
            cursor.begin(iovecs.address(), 2);
            assertThat(cursor.aligned(sectors)).isFalse();
            assertThat(cursor.aligned(DirectAlignment.NONE)).isTrue();
            cursor.advance(512);
            assertThat(cursor.aligned(sectors)).isTrue();
            cursor.advance(100);
            assertThat(cursor.aligned(sectors)).isFalse();
        }
    }

    /** However the segments lie: a buffer gets what it is asked for, and not a byte more. */
    @ParameterizedTest
    @ValueSource(ints = {1, 511, 512, 4000, 4096, 4097, 8192})
    void shouldCopyExactlyAsManyBytesAsItIsToldTo(int bytes) {
        int[] lengths = {100, 4000, 1, 4095, 8192};
        int sum = 100 + 4000 + 1 + 4095 + 8192;
        try (NativeBlock data = NativeMemory.allocate(sum, PAGE);
                NativeBlock buffer = NativeMemory.allocate(2L * sum, PAGE);
                NativeBlock iovecs = NativeMemory.allocate((long) Iovec.SIZE * lengths.length, 16)) {
            long at = data.address();
            for (int i = 0; i < lengths.length; i++) {
                Iovec.set(iovecs.address(), i, at, lengths[i]);
                at += lengths[i];
            }
            for (int done : new int[] {0, 50, 100, 4100, 4101}) {
                IovecCursor cursor = new IovecCursor();
                cursor.begin(iovecs.address(), lengths.length);
                cursor.advance(done);
                data.segment().fill((byte) 1);
                buffer.segment().fill((byte) 2);
                cursor.copyTo(buffer.address(), bytes);
                assertThat(count(buffer, 1)).as("bytes copied to the buffer").isEqualTo(bytes);
                assertThat(buffer.segment().get(ValueLayout.JAVA_BYTE, bytes - 1)).isEqualTo((byte) 1);
                buffer.segment().fill((byte) 3);
                cursor.copyFrom(buffer.address(), bytes);
                assertThat(count(data, 3)).as("bytes copied from the buffer").isEqualTo(bytes);
                assertThat(data.segment().get(ValueLayout.JAVA_BYTE, done)).isEqualTo((byte) 3);
                assertThat(data.segment().get(ValueLayout.JAVA_BYTE, done + bytes - 1)).isEqualTo((byte) 3);
            }
        }
    }

    @Test
    void shouldRefuseToCopyMoreThanABounceBufferHolds() {
        try (NativeBlock iovecs = NativeMemory.allocate(Iovec.SIZE, 16)) {
            IovecCursor cursor = new IovecCursor();
            Iovec.set(iovecs.address(), 0, 0, 1 << 20);
            cursor.begin(iovecs.address(), 1);
            assertThatThrownBy(() -> cursor.copyTo(0, BouncePool.BUFFER_BYTES + 1)).isInstanceOf(AssertionError.class).hasMessageContaining("a buffer has");
        }
    }

    private static long count(NativeBlock block, int value) {
        long found = 0;
        for (byte one : block.segment().toArray(ValueLayout.JAVA_BYTE)) {
            found += one == value ? 1 : 0;
        }
        return found;
    }

    /**
     * By compiled code too, which the JVM must survive (see NativeMemory): from a whole page that is gone, and from an odd address across the end of
     * what is left.
     */
    @ParameterizedTest
    @ValueSource(ints = {1, 7, 8, 24, 40, 63, 64, 100, 512, 4096})
    void shouldThrowWhenTheMemoryIsGone(int length) throws IOException {
        for (long offset : new long[] {PAGE, (PAGE - length / 2) | 1}) {
            try (Fd file = Fd.adopt(Memfd.create("guest", Memfd.MFD_CLOEXEC));
                    NativeBlock buffer = NativeMemory.allocate(length, 4096);
                    NativeBlock iovecs = NativeMemory.allocate(Iovec.SIZE, 16)) {
                assertThat(LinuxFile.ftruncate(file.number(), 2 * PAGE)).isZero();
                try (Mapping guest = Mapping.shared(file.number(), 0, 2 * PAGE)) {
                    IovecCursor cursor = new IovecCursor();
                    Iovec.set(iovecs.address(), 0, guest.address() + offset, length);
                    for (int i = 0; i < 50_000; i++) {
                        cursor.begin(iovecs.address(), 1);
                        cursor.copyTo(buffer.address(), length);
                        cursor.copyFrom(buffer.address(), length);
                    }
                    assertThat(LinuxFile.ftruncate(file.number(), PAGE)).isZero();
                    cursor.begin(iovecs.address(), 1);
                    for (int i = 0; i < 3; i++) {
                        assertThatThrownBy(() -> cursor.copyTo(buffer.address(), length)).isInstanceOf(InternalError.class);
                        assertThatThrownBy(() -> cursor.copyFrom(buffer.address(), length)).isInstanceOf(InternalError.class);
                    }
                }
            }
        }
    }
}
