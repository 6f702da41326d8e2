package dev.sluice.virtio.driver;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sluice.linux.Mapping;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.junit.jupiter.api.Test;

final class DriverMemoryTest {
    private static final long PAGE = Mapping.pageBytes();
    private static final long GUEST = 0x10_0000;

    @Test
    void shouldAllocateAlignedWithinTheFirstRegionThatHasRoom() throws IOException {
        try (DriverMemory memory = new DriverMemory(1 << 20)) {
            MemoryRegion small = memory.addRegion(PAGE, PAGE);
            MemoryRegion large = memory.addRegion(GUEST, 16 * PAGE);
            assertThat(memory.allocate(100, 1)).isEqualTo(PAGE);
            assertThat(memory.allocate(16, 512)).isEqualTo(PAGE + 0x200);
            assertThat(memory.allocate(2 * PAGE, 4096)).isEqualTo(GUEST);
            assertThat(memory.allocate(PAGE - 0x210, 16)).as("exactly the rest").isEqualTo(PAGE + 0x210);
            assertThat(small.fits(1, 1)).isFalse();
            assertThat(large.fits(14 * PAGE, 1)).isTrue();
            assertThatThrownBy(() -> memory.allocate(16 * PAGE, 1)).isInstanceOf(IllegalStateException.class);
        }
    }

    @Test
    void shouldShowTheSameBytesAtGuestAddressAndOffset() throws IOException {
        try (DriverMemory memory = new DriverMemory(1 << 20)) {
            MemoryRegion region = memory.addRegion(0x4000_0000_0000L, 2 * PAGE, PAGE);
            region.memory().set(ValueLayout.JAVA_BYTE, 5000, (byte) 42);
            MemorySegment view = memory.at(0x4000_0000_0000L + 5000, 1);
            assertThat(view.get(ValueLayout.JAVA_BYTE, 0)).isEqualTo((byte) 42);
            assertThat(view.address()).isEqualTo(region.userAddress() + 5000);
            assertThat(region.fileOffset()).isEqualTo(PAGE);
        }
    }

    @Test
    void shouldRefuseAddressesOutsideItsRegions() throws IOException {
        try (DriverMemory memory = new DriverMemory(1 << 20)) {
            MemoryRegion _ = memory.addRegion(GUEST, PAGE);
            assertThatThrownBy(() -> memory.at(GUEST - 1, 1)).isInstanceOf(IllegalArgumentException.class);
            assertThatThrownBy(() -> memory.at(GUEST, PAGE + 1)).isInstanceOf(IllegalArgumentException.class);
            assertThatThrownBy(() -> memory.at(GUEST + PAGE, 1)).isInstanceOf(IllegalArgumentException.class);
            assertThat(memory.at(GUEST, PAGE).byteSize()).isEqualTo(PAGE);
        }
    }

    @Test
    void shouldRefuseOverlapAndMoreThanItsLimit() throws IOException {
        try (DriverMemory memory = new DriverMemory(3 * PAGE)) {
            MemoryRegion first = memory.addRegion(GUEST, 2 * PAGE);
            assertThatThrownBy(() -> memory.addRegion(GUEST + PAGE, PAGE))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("overlaps");
            assertThatThrownBy(() -> memory.addRegion(2 * GUEST, 2 * PAGE))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("limit of " + 3 * PAGE);
            assertThatThrownBy(() -> memory.addRegion(2 * GUEST + 1, PAGE)).isInstanceOf(IllegalArgumentException.class);
            memory.removeRegion(first);
            assertThat(memory.addRegion(GUEST, 3 * PAGE).bytes()).isEqualTo(3 * PAGE);
        }
    }
}
