package dev.sluice.virtio.queue;

import static dev.sluice.virtio.layout.HostMemory.HOST;

import dev.sluice.virtio.layout.VirtqDesc;
import org.jspecify.annotations.Nullable;

/**
 * Reads the chains of a split ring, direct and in indirect tables: every descriptor is read once, and what it says is kept in a {@link DescriptorChain}.
 *
 * <p>After a rule whose breach leaves open where the chain ends, the chain is {@linkplain DescriptorChain#unterminated unterminated}; after any other the walk
 * continues, so that the last writable byte is known and can carry a status. Source: VIRTIO 1.3 §2.7.5.
 */
final class SplitChains {
    /** Entries of an indirect table that are read at most: far more than are served, so that the status of a chain that is too long is found. */
    private static final int MAX_INDIRECT_ENTRIES = 4096;

    private final long descriptors;
    private final int size;
    private final boolean indirectAllowed;

    /**
     * @param descriptors host address of the ring's table of {@code size} entries
     * @param indirectAllowed whether VIRTIO_F_INDIRECT_DESC was negotiated
     */
    SplitChains(long descriptors, int size, boolean indirectAllowed) {
        this.descriptors = descriptors;
        this.size = size;
        this.indirectAllowed = indirectAllowed;
    }

    /** Reads the chain that starts at {@code head}, which is below the ring's size. */
    void read(int head, DescriptorChain chain) {
        chain.begin(head);
        long table = descriptors;
        int tableEntries = size;
        // A chain never visits a descriptor twice, so it is no longer than its table: more steps are a loop.
        int stepsLeft = tableEntries;
        boolean indirect = false;
        int index = head;
        while (true) {
            if (stepsLeft-- == 0) {
                chain.endUnterminated("VIRTIO 1.3 §2.7.5: chain is longer than the queue size or its table (a loop)");
                return;
            }
            chain.descriptorRead();
            long descriptor = table + (long) index * VirtqDesc.SIZE;
            long bufferAddress = VirtqDesc.addr(HOST, descriptor);
            long lenFlagsNext = VirtqDesc.lenFlagsNext(HOST, descriptor);
            long bufferLength = VirtqDesc.len(lenFlagsNext);
            int flags = VirtqDesc.flags(lenFlagsNext);
            if ((flags & VirtqDesc.F_INDIRECT) != 0) {
                MemoryRegion region = indirectTable(chain, bufferAddress, bufferLength, flags, indirect);
                if (region == null) {
                    return;
                }
                // The device ignores F_WRITE here (VIRTIO 1.3 §2.7.5.3.2).
                table = region.hostAddressOf(bufferAddress);
                tableEntries = (int) (bufferLength / VirtqDesc.SIZE);
                stepsLeft = Math.min(tableEntries, longestIndirectChain());
                indirect = true;
                index = 0;
                continue;
            }
            if (bufferLength != 0) {
                chain.keep(bufferAddress, bufferLength, (flags & VirtqDesc.F_WRITE) != 0);
            }
            if ((flags & VirtqDesc.F_NEXT) == 0) {
                return;
            }
            index = VirtqDesc.next(lenFlagsNext);
            if (index >= tableEntries) {
                chain.endUnterminated("VIRTIO 1.3 §2.7.5: next is beyond the descriptor table");
                return;
            }
        }
    }

    /** VIRTIO 1.3 §2.7.5.3.1: no chain is longer than the queue size. Drivers take the limit of their indirect chains from elsewhere: Linux from seg_max. */
    private int longestIndirectChain() {
        return Math.max(size, MAX_INDIRECT_ENTRIES);
    }

    private @Nullable MemoryRegion indirectTable(DescriptorChain chain, long tableAddress, long tableLength, int flags, boolean nested) {
        if (!indirectAllowed) {
            chain.endUnterminated("VIRTIO 1.3 §2.7.5.3.1: indirect descriptor without VIRTIO_F_INDIRECT_DESC");
        } else if (nested) {
            chain.endUnterminated("VIRTIO 1.3 §2.7.5.3.1: indirect descriptor within an indirect table");
        } else if ((flags & VirtqDesc.F_NEXT) != 0) {
            chain.endUnterminated("VIRTIO 1.3 §2.7.5.3.1: indirect descriptor that has a next one");
        } else if (tableLength == 0 || tableLength % VirtqDesc.SIZE != 0) {
            chain.endUnterminated("VIRTIO 1.3 §2.7.5.3: length of an indirect table is zero or not a multiple of 16");
        } else {
            MemoryRegion region = chain.regionOf(tableAddress);
            if (region != null && region.hasGuestRange(tableAddress, tableLength)) {
                return region;
            }
            chain.endUnterminated("indirect table is not in one memory region");
        }
        return null;
    }
}
