package dev.sluice.linux;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class NativeMemoryTest {
    private final NativeBlock block = NativeMemory.allocate(256, 64);
    private final long base = block.address();

    @AfterEach
    void free() {
        block.close();
    }

    @Test
    void shouldReadWhatWasWrittenWhenUnaligned() {
        for (int shift = 0; shift < 8; shift++) {
            NativeMemory.putLong(base + shift, 0x8877_6655_4433_2211L);
            assertThat(NativeMemory.getLong(base + shift)).isEqualTo(0x8877_6655_4433_2211L);
            assertThat(NativeMemory.getInt(base + shift)).isEqualTo(0x4433_2211);
            assertThat(NativeMemory.getShort(base + shift)).isEqualTo((short) 0x2211);
            assertThat(NativeMemory.getByte(base + shift)).isEqualTo((byte) 0x11);
            NativeMemory.putInt(base + shift, 0xdead_beef);
            NativeMemory.putShort(base + shift + 4, (short) 0xcafe);
            NativeMemory.putByte(base + shift + 6, (byte) 0xab);
            assertThat(NativeMemory.getLong(base + shift)).isEqualTo(0x88ab_cafe_dead_beefL);
        }
    }

    @Test
    void shouldReadTheValueThatLoadsAreComparedWith() {
        NativeMemory.putLong(base, 0x5a3c);
        assertThat(NativeMemory.getLong(base)).isEqualTo(0x5a3c);
        assertThat(NativeMemory.getInt(base)).isEqualTo(0x5a3c);
        assertThat(NativeMemory.getShort(base)).isEqualTo((short) 0x5a3c);
        assertThat(NativeMemory.getByte(base)).isEqualTo((byte) 0x3c);
    }

    @Test
    void shouldReadWhatWasWrittenWhenOrdered() {
        NativeMemory.putShortRelease(base, (short) -2);
        NativeMemory.putShortVolatile(base + 2, (short) -3);
        NativeMemory.putIntRelease(base + 4, -4);
        NativeMemory.putIntVolatile(base + 8, -5);
        NativeMemory.putLongRelease(base + 16, -6);
        NativeMemory.putLongVolatile(base + 24, -7);
        NativeMemory.fullFence();
        assertThat(NativeMemory.getShortAcquire(base)).isEqualTo((short) -2);
        assertThat(NativeMemory.getShortVolatile(base + 2)).isEqualTo((short) -3);
        assertThat(NativeMemory.getIntAcquire(base + 4)).isEqualTo(-4);
        assertThat(NativeMemory.getIntVolatile(base + 8)).isEqualTo(-5);
        assertThat(NativeMemory.getLongAcquire(base + 16)).isEqualTo(-6);
        assertThat(NativeMemory.getLongVolatile(base + 24)).isEqualTo(-7);
    }

    @Test
    void shouldRefuseOrderedAccessWhenUnaligned() {
        assertThatIllegalArgumentException().isThrownBy(() -> NativeMemory.getShortAcquire(base + 1));
        assertThatIllegalArgumentException().isThrownBy(() -> NativeMemory.putShortRelease(base + 1, (short) 0));
        assertThatIllegalArgumentException().isThrownBy(() -> NativeMemory.putShortVolatile(base + 1, (short) 0));
        assertThatIllegalArgumentException().isThrownBy(() -> NativeMemory.putIntRelease(base + 2, 0));
        assertThatIllegalArgumentException().isThrownBy(() -> NativeMemory.getLongAcquire(base + 4));
    }

    @Test
    void shouldCopyWhenRangesOverlap() {
        for (int i = 0; i < 100; i++) {
            NativeMemory.putByte(base + i, (byte) i);
        }
        NativeMemory.copy(base, base + 3, 100);
        for (int i = 0; i < 100; i++) {
            assertThat(NativeMemory.getByte(base + 3 + i)).isEqualTo((byte) i);
        }
    }

    @Test
    void shouldFillOnlyTheRange() {
        NativeMemory.fill(base + 1, 70, (byte) 0x5a);
        assertThat(NativeMemory.getByte(base)).isZero();
        assertThat(NativeMemory.getByte(base + 1)).isEqualTo((byte) 0x5a);
        assertThat(NativeMemory.getByte(base + 70)).isEqualTo((byte) 0x5a);
        assertThat(NativeMemory.getByte(base + 71)).isZero();
    }

    @Test
    void shouldCheckBoundsWhenAccessedThroughAView() {
        MemorySegment view = NativeMemory.view(base, 16);
        view.set(ValueLayout.JAVA_LONG, 8, 42);
        assertThat(NativeMemory.getLong(base + 8)).isEqualTo(42);
        assertThatThrownBy(() -> view.get(ValueLayout.JAVA_LONG, 9)).isInstanceOf(IndexOutOfBoundsException.class);
    }

    @Test
    void shouldAllocateZeroedAndAligned() {
        try (NativeBlock pages = NativeMemory.allocate(8192, 4096)) {
            assertThat(pages.address() % 4096).isZero();
            assertThat(pages.bytes()).isEqualTo(8192);
            assertThat(pages.segment().toArray(ValueLayout.JAVA_BYTE)).containsOnly(0);
        }
    }

    @Test
    void shouldRefuseTheAddressWhenClosed() {
        long before = NativeBlock.openBytes();
        NativeBlock closed = NativeMemory.allocate(8, 8);
        assertThat(NativeBlock.openBytes()).isEqualTo(before + 8);
        closed.close();
        closed.close();
        assertThat(NativeBlock.openBytes()).isEqualTo(before);
        assertThatIllegalStateException().isThrownBy(closed::address);
    }

    @Test
    void shouldSurfaceNothingWhenNothingFaulted() {
        NativeMemory.putLong(base, 1);
        NativeMemory.surfaceFault();
        assertThat(NativeMemory.getLong(base)).isEqualTo(1);
    }
}
