package dev.sluice.virtio.queue;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.linux.NativeBlock;
import dev.sluice.linux.NativeMemory;
import dev.sluice.virtio.layout.VirtqDesc;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Chains at the limits that the specification and the parser set, one rule at a time. VIRTIO 1.3 §2.7.5. */
final class DescriptorChainTest {
    private static final int SIZE = 32;
    private static final long TABLE = 0x1_0000;
    private static final long BYTES = 0x4_0000;
    private static final int NEXT = VirtqDesc.F_NEXT;
    private static final int WRITE = VirtqDesc.F_WRITE;
    private static final int INDIRECT = VirtqDesc.F_INDIRECT;
    private static final int DATA_BUFFERS = 3;
    /** A header in 16 pieces and a status beside the data. */
    private static final int KEPT = DATA_BUFFERS + 17;

    private static final String LOOP = "VIRTIO 1.3 §2.7.5: chain is longer than the queue size or its table (a loop)";
    private static final String BEYOND = "VIRTIO 1.3 §2.7.5: next is beyond the descriptor table";
    private static final String NOT_IN_ONE_REGION = "indirect table is not in one memory region";
    private static final String WRAPS = "address and length of a buffer wrap around 2^64";
    private static final String READABLE_BEHIND = "VIRTIO 1.3 §2.7.4.2: readable buffer behind a writable one";

    private final NativeBlock block = NativeMemory.allocate(BYTES, 4096);
    private final MemoryRegion region = new MemoryRegion(0, 0, NativeMemory.view(block.address(), BYTES));
    private final GuestMemory memory = new GuestMemory(List.of(region));
    private final DescriptorChain chain = new DescriptorChain(memory, DATA_BUFFERS);
    private final SplitChains chains = chains(SIZE, true);

    @AfterEach
    void free() {
        block.close();
    }

    private SplitChains chains(int size, boolean indirectAllowed) {
        return new SplitChains(block.address(), size, indirectAllowed);
    }

    private void entry(long table, int index, long address, long length, int flags, int next) {
        VirtqDesc.set(block.segment(), table + 16L * index, address, length, flags, next);
    }

    private void requireSound(int count, int read) {
        assertThat(chain.brokenRule()).isNull();
        assertThat(chain.unterminated()).isFalse();
        assertThat(chain.count()).isEqualTo(count);
        assertThat(chain.descriptorsRead()).isEqualTo(read);
    }

    private void requireLost(String rule) {
        assertThat(chain.brokenRule()).isEqualTo(rule);
        assertThat(chain.unterminated()).isTrue();
    }

    @Test
    void shouldKeepWhatItsDescriptorsSay() {
        entry(0, 5, 0x1000, 16, NEXT, 31);
        entry(0, 31, 0x2000, 0, NEXT, 0);
        entry(0, 0, 0x3000, 0x80, NEXT, 7);
        entry(0, 7, 0x4000, 0x200, WRITE | NEXT, 8);
        entry(0, 8, 0x5000, 0, WRITE | NEXT, 9);
        entry(0, 9, 0x6000, 0xFFFF_FFFFL, WRITE, 1);
        chains.read(5, chain);
        assertThat(chain.id()).isEqualTo(5);
        requireSound(4, 6);
        assertThat(chain.readableCount()).isEqualTo(2);
        assertThat(chain.readableBytes()).isEqualTo(0x90);
        assertThat(chain.writableBytes()).isEqualTo(0x200 + 0xFFFF_FFFFL);
        assertThat(chain.lastWritableByte()).isEqualTo(0x6000 + 0xFFFF_FFFEL);
        assertThat(chain.tooManyBuffers()).isFalse();
        long[] addresses = {0x1000, 0x3000, 0x4000, 0x6000};
        long[] lengths = {16, 0x80, 0x200, 0xFFFF_FFFFL};
        for (int i = 0; i < 4; i++) {
            assertThat(chain.address(i)).isEqualTo(addresses[i]);
            assertThat(chain.length(i)).isEqualTo(lengths[i]);
        }
        assertThat(chain.regionOf(0x1000)).isSameAs(region);
        assertThat(chain.regionOf(BYTES)).isNull();
    }

    @Test
    void shouldForgetTheChainBefore() {
        for (int i = 0; i < KEPT + 1; i++) {
            entry(0, i, 0x1000, 1, i == 0 ? WRITE | NEXT : NEXT, i + 1);
        }
        entry(0, KEPT + 1, 0x1000, 16, INDIRECT | NEXT, 0);
        chains.read(0, chain);
        assertThat(chain.tooManyBuffers()).isTrue();
        requireLost(READABLE_BEHIND);
        entry(0, 3, 0x1000, 0, 0, 0);
        chains.read(3, chain);
        requireSound(0, 1);
        assertThat(chain.readableCount()).isZero();
        assertThat(chain.readableBytes()).isZero();
        assertThat(chain.writableBytes()).isZero();
        assertThat(chain.lastWritableByte()).isZero();
        assertThat(chain.tooManyBuffers()).isFalse();
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 8, 32})
    void shouldFollowAChainOfTheWholeTableAndNoLonger(int size) {
        SplitChains small = chains(size, true);
        for (int i = 0; i < size; i++) {
            entry(0, i, 0x1000, i == size - 1 ? 1 : 0, i == size - 1 ? WRITE : NEXT, i + 1);
        }
        small.read(0, chain);
        assertThat(chain.brokenRule()).isNull();
        assertThat(chain.descriptorsRead()).isEqualTo(size);
        assertThat(chain.writableBytes()).isEqualTo(1);
        entry(0, size - 1, 0x1000, 1, WRITE | NEXT, 0);
        small.read(0, chain);
        assertThat(chain.brokenRule()).isEqualTo(LOOP);
        assertThat(chain.unterminated()).isTrue();
        assertThat(chain.descriptorsRead()).isEqualTo(size);
        entry(0, size - 1, 0x1000, 1, NEXT, size);
        small.read(size - 1, chain);
        assertThat(chain.brokenRule()).isEqualTo(BEYOND);
        assertThat(chain.unterminated()).isTrue();
    }

    /** Longer than the ring, as Linux makes them: up to 4096 entries are followed, whatever the length of the table. */
    @ParameterizedTest
    @CsvSource({"1, 1, true", "33, 33, true", "4096, 4096, true", "4095, 5000, true", "4096, 5000, true", "4097, 5000, false"})
    void shouldFollowAnIndirectChainUpToItsLimit(int length, int tableEntries, boolean followed) {
        for (int i = 0; i < length; i++) {
            entry(TABLE, i, 0x1000, 1, i == length - 1 ? WRITE : NEXT, i + 1);
        }
        entry(0, 4, TABLE, 16L * tableEntries, INDIRECT | WRITE, 0);
        chains.read(4, chain);
        if (followed) {
            assertThat(chain.brokenRule()).isNull();
            assertThat(chain.writableBytes()).isEqualTo(1);
            assertThat(chain.readableBytes()).isEqualTo(length - 1);
            assertThat(chain.descriptorsRead()).isEqualTo(length + 1);
        } else {
            requireLost(LOOP);
            assertThat(chain.descriptorsRead()).isEqualTo(4097);
        }
    }

    @Test
    void shouldStayWithinAnIndirectTable() {
        entry(0, 0, TABLE, 48, INDIRECT, 0);
        entry(TABLE, 0, 0x1000, 16, NEXT, 2);
        entry(TABLE, 2, 0x2000, 1, WRITE, 0);
        chains.read(0, chain);
        requireSound(2, 3);
        assertThat(chain.address(0)).isEqualTo(0x1000);
        assertThat(chain.address(1)).isEqualTo(0x2000);
        entry(TABLE, 0, 0x1000, 16, NEXT, 3);
        chains.read(0, chain);
        requireLost(BEYOND);
        entry(TABLE, 0, 0x1000, 16, NEXT, 1);
        entry(TABLE, 1, 0x1000, 16, NEXT, 0);
        chains.read(0, chain);
        requireLost(LOOP);
        assertThat(chain.descriptorsRead()).isEqualTo(4);
    }

    @Test
    void shouldFollowATableBehindDirectDescriptors() {
        entry(0, 1, 0x1000, 16, NEXT, 2);
        entry(0, 2, TABLE, 32, INDIRECT, 0);
        entry(TABLE, 0, 0x2000, 512, WRITE | NEXT, 1);
        entry(TABLE, 1, 0x3000, 1, WRITE, 0);
        chains.read(1, chain);
        requireSound(3, 4);
        assertThat(chain.readableCount()).isEqualTo(1);
        assertThat(chain.lastWritableByte()).isEqualTo(0x3000);
    }

    /** In guest addresses that are not zero, and at both ends of a region. */
    @ParameterizedTest
    @CsvSource({"0, true", "16, true", "0xFE0, true", "0xFF0, false", "0xFE8, false", "-16, false", "0x1000, false"})
    void shouldFindAnIndirectTableOnlyInOneRegion(String offset, boolean found) {
        long at = Long.decode(offset);
        long guest = 0x7000_0000L;
        chain.memory(new GuestMemory(List.of(new MemoryRegion(guest, guest, NativeMemory.view(block.address() + TABLE, 0x1000)))));
        if (at >= 0 && at < 0xFF0) {
            entry(TABLE + at, 0, 0x1234, 16, NEXT, 1);
            entry(TABLE + at, 1, 0x5678, 1, WRITE, 0);
        }
        entry(0, 0, guest + at, 32, INDIRECT, 0);
        chains.read(0, chain);
        if (found) {
            requireSound(2, 3);
            assertThat(chain.address(0)).isEqualTo(0x1234);
            assertThat(chain.lastWritableByte()).isEqualTo(0x5678);
        } else {
            requireLost(NOT_IN_ONE_REGION);
            assertThat(chain.count()).isZero();
        }
    }

    @Test
    void shouldRefuseIndirectTablesThatBreakARule() {
        entry(TABLE, 0, 0x1000, 1, WRITE, 0);
        for (long length : new long[] {0, 1, 15, 17, 31}) {
            entry(0, 0, TABLE, length, INDIRECT, 0);
            chains.read(0, chain);
            requireLost("VIRTIO 1.3 §2.7.5.3: length of an indirect table is zero or not a multiple of 16");
        }
        entry(0, 0, TABLE, 16, INDIRECT | NEXT, 1);
        chains.read(0, chain);
        requireLost("VIRTIO 1.3 §2.7.5.3.1: indirect descriptor that has a next one");
        entry(0, 0, TABLE + 16, 16, INDIRECT, 0);
        entry(TABLE + 16, 0, TABLE, 16, INDIRECT, 0);
        chains.read(0, chain);
        requireLost("VIRTIO 1.3 §2.7.5.3.1: indirect descriptor within an indirect table");
        entry(0, 0, TABLE, 16, INDIRECT, 0);
        chains.read(0, chain);
        requireSound(1, 2);
        chains(SIZE, false).read(0, chain);
        requireLost("VIRTIO 1.3 §2.7.5.3.1: indirect descriptor without VIRTIO_F_INDIRECT_DESC");
    }

    @ParameterizedTest
    @CsvSource({"19, 0, false", "20, 0, false", "21, 0, true", "21, 1, true", "22, 2, true"})
    void shouldKeepAsManyBuffersAsThereIsRoomForAndFindTheStatusOfTheRest(int buffers, int empty, boolean tooMany) {
        int index = 0;
        for (int i = 0; i < empty; i++, index++) {
            entry(0, index, 0x1000, 0, NEXT, index + 1);
        }
        for (int i = 0; i < buffers - 1; i++, index++) {
            entry(0, index, 0x1000 + i, 1, NEXT, index + 1);
        }
        entry(0, index, 0x2000, 4, WRITE, 0);
        chains.read(0, chain);
        requireSound(Math.min(buffers, KEPT), buffers + empty);
        assertThat(chain.tooManyBuffers()).isEqualTo(tooMany);
        assertThat(chain.readableCount()).isEqualTo(Math.min(buffers - 1, KEPT));
        assertThat(chain.readableBytes()).isEqualTo(buffers - 1);
        assertThat(chain.writableBytes()).isEqualTo(4);
        assertThat(chain.lastWritableByte()).isEqualTo(0x2003);
        assertThat(chain.address(KEPT - 2)).isEqualTo(buffers == 19 ? 0x2000 : 0x1000 + KEPT - 2);
    }

    /** The walk continues behind these, so that the status can be written. */
    @Test
    void shouldNameTheFirstRuleAndFindTheEndWhenABufferBreaksOne() {
        entry(0, 0, 0x1000, 16, NEXT, 1);
        entry(0, 1, 0x2000, 512, WRITE | NEXT, 2);
        entry(0, 2, 0x3000, 16, NEXT, 3);
        entry(0, 3, -1, 2, NEXT, 4);
        entry(0, 4, 0x4000, 1, WRITE, 0);
        chains.read(0, chain);
        assertThat(chain.brokenRule()).isEqualTo(READABLE_BEHIND);
        assertThat(chain.unterminated()).isFalse();
        assertThat(chain.lastWritableByte()).isEqualTo(0x4000);
        chains.read(3, chain);
        assertThat(chain.brokenRule()).isEqualTo(WRAPS);
        assertThat(chain.unterminated()).isFalse();
        assertThat(chain.lastWritableByte()).isEqualTo(0x4000);
    }

    @ParameterizedTest
    @CsvSource({
        "-1, 1, true", "-1, 2, false", "-512, 512, true", "-512, 513, false", "-4294967295, 4294967295, true", "-4294967294, 4294967295, false", "0, 1, true"
    })
    void shouldAcceptBuffersUpToTheEndOfTheAddressSpace(long address, long length, boolean accepted) {
        entry(0, 0, address, length, WRITE, 0);
        chains.read(0, chain);
        assertThat(chain.brokenRule()).isEqualTo(accepted ? null : WRAPS);
        assertThat(chain.lastWritableByte()).isEqualTo(address + length - 1);
    }
}
