package dev.sluice.virtio.queue;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sluice.linux.NativeBlock;
import dev.sluice.linux.NativeMemory;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;
import java.util.Objects;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The borders of regions, in both address spaces, up to the end of the address space. */
final class GuestMemoryTest {
    private static final long SIZE = 0x2000;
    private static final long GUEST = 0x10_0000;
    private static final long USER = 0x7F00_0000_0000L;

    private final NativeBlock block = NativeMemory.allocate(SIZE, 4096);

    @AfterEach
    void free() {
        block.close();
    }

    private MemoryRegion region(long guestAddress, long userAddress, long sizeBytes) {
        return new MemoryRegion(guestAddress, userAddress, NativeMemory.view(block.address(), sizeBytes));
    }

    @Test
    void shouldDescribeARegion() {
        MemoryRegion region = region(GUEST, USER, SIZE);
        assertThat(region.guestAddress()).isEqualTo(GUEST);
        assertThat(region.userAddress()).isEqualTo(USER);
        assertThat(region.sizeBytes()).isEqualTo(SIZE);
        assertThat(region.hostAddressOf(GUEST)).isEqualTo(block.address());
        assertThat(region.hostAddressOf(GUEST + 100)).isEqualTo(block.address() + 100);
        assertThat(region.bytesFrom(GUEST)).isEqualTo(SIZE);
        assertThat(region.bytesFrom(GUEST + SIZE - 1)).isEqualTo(1);
        assertThat(region.memory().address()).isEqualTo(block.address());
        assertThat(region).hasToString("guest 0x100000 front end 0x7f0000000000 8192 bytes");
        assertThat(new GuestMemory(List.of(region)).regions()).containsExactly(region);
        assertThat(GuestMemory.NONE.regions()).isEmpty();
    }

    @Test
    void shouldRefuseMemoryThatHasNoAddress() {
        assertThatThrownBy(() -> new MemoryRegion(GUEST, USER, MemorySegment.ofArray(new byte[64])))
                .isInstanceOf(IllegalArgumentException.class).hasMessage("a memory region is native memory");
    }

    /** Address and size as the front end sends them, unsigned: a region may end at the very end of the address space and not behind it. */
    @ParameterizedTest
    @CsvSource({
        "0, 1, true", "0, 4096, true", "4096, 1, true", "-1, 1, true", "-1, 2, false", "-4096, 4096, true", "-4096, 4097, false", "-8192, 4096, true",
        "0, 0, false", "4096, 0, false", "-1, 0, false", "0, -1, false", "4096, -4096, false", "4096, 9223372036854775807, true",
        "-9223372036854775808, 9223372036854775807, true", "-9223372036854775807, 9223372036854775807, true", "-9223372036854775806, 9223372036854775807, false"
    })
    void shouldAcceptARangeIfItIsNotEmptyAndDoesNotWrap(long address, long sizeBytes, boolean accepted) {
        if (accepted) {
            MemoryRegion.requireRange("any", address, sizeBytes);
        } else {
            assertThatThrownBy(() -> MemoryRegion.requireRange("any", address, sizeBytes))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessage("region at any 0x%x of %s bytes is empty or wraps around", address, Long.toUnsignedString(sizeBytes));
        }
    }

    @Test
    void shouldRefuseARegionWhoseAddressesWrapInEitherSpace() {
        assertThatThrownBy(() -> region(-SIZE + 1, USER, SIZE)).hasMessageContaining("guest physical 0x");
        assertThatThrownBy(() -> region(GUEST, -SIZE + 1, SIZE)).hasMessageContaining("front-end virtual 0x");
        assertThat(region(-SIZE, -SIZE, SIZE).sizeBytes()).isEqualTo(SIZE);
    }

    @ParameterizedTest
    @ValueSource(longs = {0, GUEST, Long.MAX_VALUE - 0xFFF, -SIZE})
    void shouldHaveItsOwnAddressesAndNoOthers(long start) {
        MemoryRegion region = region(start, start, SIZE);
        long[] offsets = {-SIZE, -1, 0, 1, 15, SIZE - 16, SIZE - 2, SIZE - 1, SIZE, SIZE + 1, 2 * SIZE, Long.MIN_VALUE};
        long[] lengths = {1, 2, 16, SIZE - 1, SIZE, SIZE + 1, Long.MAX_VALUE};
        for (long offset : offsets) {
            boolean inside = offset >= 0 && offset < SIZE;
            assertThat(region.hasGuestAddress(start + offset)).as("offset " + offset).isEqualTo(inside);
            for (long length : lengths) {
                boolean fits = inside && length <= SIZE - offset;
                assertThat(region.hasGuestRange(start + offset, length)).as("%d bytes at %d", length, offset).isEqualTo(fits);
                assertThat(region.hasUserRange(start + offset, length)).as("%d bytes at %d", length, offset).isEqualTo(fits);
            }
        }
        // Behind the last byte there is nothing, not even a place for nothing.
        assertThat(region.hasGuestRange(start + SIZE, 0)).isFalse();
        assertThat(region.hasUserRange(start + SIZE, 0)).isFalse();
    }

    /** The second region by its distance from the start of the first, of 0x1000 bytes. */
    @ParameterizedTest
    @CsvSource({
        "0x1000, 0x1000, false", "0xFFF, 0x1000, true", "-0x1000, 0x1000, false", "-0xFFF, 0x1000, true", "0, 0x1000, true", "0x10, 0x10, true",
        "-0x10, 0x1020, true",
        "0x1001, 0x10, false", "-0x11, 0x10, false", "-0x10, 0x10, false", "-0x10, 0x11, true", "0xFFF, 1, true", "0x1000, 1, false"
    })
    void shouldRefuseRegionsThatOverlapInEitherSpace(String distance, String sizeBytes, boolean overlap) {
        long far = 0x4000_0000;
        long size = Long.decode(sizeBytes);
        for (long start : new long[] {GUEST, -0x1000}) {
            MemoryRegion first = region(start, start, 0x1000);
            if (start < 0 && Long.decode(distance) + size > 0x1000) {
                // It would wrap around.
                continue;
            }
            MemoryRegion inGuest = region(start + Long.decode(distance), USER + far, size);
            MemoryRegion inFrontEnd = region(USER + far, start + Long.decode(distance), size);
            for (MemoryRegion second : List.of(inGuest, inFrontEnd)) {
                for (List<MemoryRegion> map : List.of(List.of(first, second), List.of(second, first))) {
                    if (overlap) {
                        assertThatThrownBy(() -> new GuestMemory(map))
                                .isInstanceOf(IllegalArgumentException.class)
                                .hasMessage("memory regions overlap: " + map.getFirst() + " and " + map.getLast());
                    } else {
                        assertThat(new GuestMemory(map).regions()).containsExactlyInAnyOrder(first, second);
                    }
                }
            }
        }
    }

    @Test
    void shouldFindOverlapBetweenAnyTwoOfThree() {
        MemoryRegion one = region(GUEST, USER, 0x1000);
        MemoryRegion two = region(GUEST + 0x1000, USER + 0x1000, 0x1000);
        MemoryRegion overOne = region(GUEST + 0x800, USER + 0x8000, 0x100);
        MemoryRegion overTwo = region(GUEST + 0x1800, USER + 0x8000, 0x100);
        for (List<MemoryRegion> map : List.of(List.of(one, two, overOne), List.of(one, two, overTwo), List.of(overOne, two, one), List.of(two, overTwo, one))) {
            assertThatThrownBy(() -> new GuestMemory(map)).hasMessageContaining("overlap");
        }
    }

    @Test
    void shouldFindARingAreaByItsFrontEndAddressIfItLiesInOneRegion() {
        block.segment().set(ValueLayout.JAVA_BYTE, 0x1010, (byte) 0x5A);
        // Adjacent in front-end addresses, and the other way round in guest addresses.
        GuestMemory memory = new GuestMemory(List.of(region(GUEST + SIZE, USER, SIZE), region(GUEST, USER + SIZE, SIZE)));
        MemorySegment found = Objects.requireNonNull(memory.ring(USER + SIZE + 0x1000, SIZE - 0x1000));
        assertThat(found.byteSize()).isEqualTo(SIZE - 0x1000);
        assertThat(found.get(ValueLayout.JAVA_BYTE, 0x10)).isEqualTo((byte) 0x5A);
        assertThat(memory.ring(USER, SIZE)).isNotNull();
        assertThat(memory.ring(USER + SIZE - 8, 16)).isNull();
        assertThat(memory.ring(USER + 2 * SIZE - 8, 16)).isNull();
        assertThat(memory.ring(USER - 8, 16)).isNull();
        assertThat(memory.ring(GUEST, 16)).isNull();
        assertThat(GuestMemory.NONE.ring(USER, 16)).isNull();
        assertThat(GuestMemory.NONE.regionOf(GUEST)).isNull();
    }

    @Test
    void shouldFindEachOfSeveralRegionsWithGapsBetweenThem() {
        List<MemoryRegion> regions = List.of(
                region(0x9000, 0x9000, 0x1000), region(0x1000, 0x1000, 0x1000), region(-0x2000, -0x2000, 0x1000),
                region(0x5000, 0x5000, 0x1000), region(0x3000, 0x3000, 0x1000));
        GuestMemory memory = new GuestMemory(regions);
        GuestMemory.Cursor cursor = new GuestMemory.Cursor(memory);
        for (MemoryRegion region : regions) {
            for (long offset : new long[] {0, 0x800, 0xFFF}) {
                assertThat(memory.regionOf(region.guestAddress() + offset)).isSameAs(region);
                assertThat(cursor.regionOf(region.guestAddress() + offset)).isSameAs(region);
            }
            for (long offset : new long[] {-1, 0x1000}) {
                assertThat(memory.regionOf(region.guestAddress() + offset)).isNull();
                assertThat(cursor.regionOf(region.guestAddress() + offset)).isNull();
            }
        }
        assertThat(memory.regions()).extracting(MemoryRegion::guestAddress).containsExactly(0x1000L, 0x3000L, 0x5000L, 0x9000L, -0x2000L);
    }

    @Test
    void shouldFindNothingOfTheMapBeforeWhenThereIsAnother() {
        MemoryRegion before = region(GUEST, USER, SIZE);
        MemoryRegion after = region(GUEST, USER + SIZE, SIZE);
        GuestMemory.Cursor cursor = new GuestMemory.Cursor(new GuestMemory(List.of(before)));
        assertThat(cursor.regionOf(GUEST)).isSameAs(before);
        cursor.memory(new GuestMemory(List.of(after)));
        assertThat(cursor.regionOf(GUEST)).isSameAs(after);
        cursor.memory(GuestMemory.NONE);
        assertThat(cursor.regionOf(GUEST)).isNull();
    }

    /** VIRTIO 1.3 §2.7: alignment of the areas is 16, 2 and 4. */
    @Test
    void shouldRefuseAreasThatAreNotAligned() {
        RingAddresses aligned = new RingAddresses(0x7FF0, 0x7FF2, 0x7FF4);
        assertThat(aligned.descriptors()).isEqualTo(0x7FF0);
        for (int off = 1; off < 16; off++) {
            long address = 0x8000L + off;
            assertThatThrownBy(() -> new RingAddresses(address, 0, 0)).hasMessage("descriptor table at 0x%x is not aligned to 16", address);
        }
        for (int off : new int[] {1, 2, 3}) {
            assertThatThrownBy(() -> new RingAddresses(0, 0, 0x8000 + off)).hasMessage("used ring at 0x800%d is not aligned to 4", off);
        }
        assertThatThrownBy(() -> new RingAddresses(0, 0x8001, 0)).hasMessage("available ring at 0x8001 is not aligned to 2");
    }
}
