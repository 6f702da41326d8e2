package dev.sluice.virtio.driver;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.junit.jupiter.api.Test;

final class DriverMemoryTest {
    @Test
    void shouldAllocateAlignedWithinTheFirstRegionThatHasRoom() throws IOException {
        try (DriverMemory memory = new DriverMemory(1 << 20)) {
            MemoryRegion small = memory.addRegion(0x1000, 4096);
            MemoryRegion large = memory.addRegion(0x10_0000, 65_536);
            assertThat(memory.allocate(100, 1)).isEqualTo(0x1000);
            assertThat(memory.allocate(16, 512)).isEqualTo(0x1200);
            assertThat(memory.allocate(8192, 4096)).isEqualTo(0x10_0000);
            assertThat(memory.allocate(4096 - 0x210, 16)).as("exactly the rest").isEqualTo(0x1210);
            assertThat(small.fits(1, 1)).isFalse();
            assertThat(large.fits(65_536 - 8192, 1)).isTrue();
            assertThatThrownBy(() -> memory.allocate(65_536, 1)).isInstanceOf(IllegalStateException.class);
        }
    }

    @Test
    void shouldShowTheSameBytesAtGuestAddressAndOffset() throws IOException {
        try (DriverMemory memory = new DriverMemory(1 << 20)) {
            MemoryRegion region = memory.addRegion(0x4000_0000_0000L, 8192, 4096);
            region.memory().set(ValueLayout.JAVA_BYTE, 5000, (byte) 42);
            MemorySegment view = memory.at(0x4000_0000_0000L + 5000, 1);
            assertThat(view.get(ValueLayout.JAVA_BYTE, 0)).isEqualTo((byte) 42);
            assertThat(view.address()).isEqualTo(region.userAddress() + 5000);
            assertThat(region.fileOffset()).isEqualTo(4096);
        }
    }

    @Test
    void shouldRefuseAddressesOutsideItsRegions() throws IOException {
        try (DriverMemory memory = new DriverMemory(1 << 20)) {
            MemoryRegion _ = memory.addRegion(0x10_0000, 4096);
            assertThatThrownBy(() -> memory.at(0xF_FFFF, 1)).isInstanceOf(IllegalArgumentException.class);
            assertThatThrownBy(() -> memory.at(0x10_0000, 4097)).isInstanceOf(IllegalArgumentException.class);
            assertThatThrownBy(() -> memory.at(0x10_1000, 1)).isInstanceOf(IllegalArgumentException.class);
            assertThat(memory.at(0x10_0000, 4096).byteSize()).isEqualTo(4096);
        }
    }

    @Test
    void shouldRefuseOverlapAndMoreThanItsLimit() throws IOException {
        try (DriverMemory memory = new DriverMemory(12_288)) {
            MemoryRegion first = memory.addRegion(0x10_0000, 8192);
            assertThatThrownBy(() -> memory.addRegion(0x10_1000, 4096))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("overlaps");
            assertThatThrownBy(() -> memory.addRegion(0x20_0000, 8192))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("limit of 12288");
            assertThatThrownBy(() -> memory.addRegion(0x20_0001, 4096)).isInstanceOf(IllegalArgumentException.class);
            memory.removeRegion(first);
            assertThat(memory.addRegion(0x10_0000, 12_288).bytes()).isEqualTo(12_288);
        }
    }
}
