package dev.sluice.virtio.queue;

import static org.assertj.core.api.Assertions.assertThat;

import com.code_intelligence.jazzer.junit.FuzzTest;
import dev.sluice.linux.NativeBlock;
import dev.sluice.linux.NativeMemory;
import java.lang.foreign.MemorySegment;
import java.util.List;

/**
 * The chain parser takes any memory: it ends after bounded work, names what it has not understood, writes nothing, and what it keeps adds up.
 *
 * <pre>
 * input: u8 log2 of the ring's size; u8 options, bit 0: indirect tables allowed; u8 head; u8 memory[]: descriptor table, then whatever
 * </pre>
 */
final class DescriptorChainFuzzTest {
    private static final int PREFIX_BYTES = 3;
    private static final int LOG_MAX_SIZE = 6;
    private static final int MEMORY_BYTES = 4096;
    private static final int RINGS_BYTES = 4096;
    private static final int DATA_BUFFERS = 4;
    /** A header may come in 16 pieces, and there is a status. */
    private static final int KEPT = DATA_BUFFERS + 17;
    private static final int LONGEST_TABLE = 4096;

    @FuzzTest(maxDuration = "2m")
    void shouldEndAndAddUpWhenMemoryIsAnything(byte[] input) {
        if (input.length < PREFIX_BYTES || input.length > PREFIX_BYTES + MEMORY_BYTES) {
            return;
        }
        int size = 1 << ((input[0] & 0xFF) % (LOG_MAX_SIZE + 1));
        int head = (input[2] & 0xFF) % size;
        try (NativeBlock block = NativeMemory.allocate(MEMORY_BYTES + RINGS_BYTES, 4096)) {
            MemorySegment.copy(MemorySegment.ofArray(input), PREFIX_BYTES, block.segment(), 0, input.length - PREFIX_BYTES);
            byte[] before = block.segment().toArray(java.lang.foreign.ValueLayout.JAVA_BYTE);
            // The same memory twice: tables reach to the end of each, and a region ends at the end of the address space.
            GuestMemory memory = new GuestMemory(List.of(
                    new MemoryRegion(0, 0, NativeMemory.view(block.address(), MEMORY_BYTES + RINGS_BYTES)),
                    new MemoryRegion(-MEMORY_BYTES, -MEMORY_BYTES, NativeMemory.view(block.address(), MEMORY_BYTES))));
            DescriptorChain chain = new DescriptorChain(memory, DATA_BUFFERS);
            SplitChains chains = new SplitChains(block.address(), size, (input[1] & 1) != 0);
            chains.read(head, chain);
            requireSound(chain, size);
            assertThat(block.segment().toArray(java.lang.foreign.ValueLayout.JAVA_BYTE)).as("a walk writes nothing").isEqualTo(before);

            String rule = chain.brokenRule();
            int count = chain.count();
            chains.read(head, chain);
            assertThat(chain.brokenRule()).as("nothing is left of the walk before").isEqualTo(rule);
            assertThat(chain.count()).isEqualTo(count);
            requireSound(chain, size);
        }
    }

    private static void requireSound(DescriptorChain chain, int size) {
        assertThat(chain.descriptorsRead()).isBetween(1, size + LONGEST_TABLE);
        assertThat(chain.count()).isBetween(0, KEPT);
        assertThat(chain.readableCount()).isBetween(0, chain.count());
        if (chain.unterminated()) {
            assertThat(chain.brokenRule()).as("lost the way").isNotNull();
        }
        long readable = 0;
        long all = 0;
        for (int i = 0; i < chain.count(); i++) {
            assertThat(chain.length(i)).isBetween(1L, 0xFFFF_FFFFL);
            all += chain.length(i);
            if (i < chain.readableCount()) {
                readable += chain.length(i);
            }
        }
        if (!chain.tooManyBuffers()) {
            assertThat(all).isEqualTo(chain.readableBytes() + chain.writableBytes());
        } else {
            assertThat(chain.count()).isEqualTo(KEPT);
            assertThat(all).isLessThan(chain.readableBytes() + chain.writableBytes());
        }
        if (chain.brokenRule() == null && !chain.tooManyBuffers()) {
            assertThat(readable).as("readable buffers come first").isEqualTo(chain.readableBytes());
            if (chain.writableBytes() != 0) {
                int last = chain.count() - 1;
                assertThat(chain.lastWritableByte()).isEqualTo(chain.address(last) + chain.length(last) - 1);
            }
        }
    }
}
