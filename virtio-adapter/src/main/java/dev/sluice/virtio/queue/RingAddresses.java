package dev.sluice.virtio.queue;

import dev.sluice.virtio.layout.VirtqAvail;
import dev.sluice.virtio.layout.VirtqDesc;
import dev.sluice.virtio.layout.VirtqUsed;

/**
 * Where the areas of a ring are, in the front end's virtual addresses.
 *
 * @param descriptors aligned to 16 (VIRTIO 1.3 §2.7)
 * @param avail aligned to 2
 * @param used aligned to 4
 */
public record RingAddresses(long descriptors, long avail, long used) {
    public RingAddresses {
        requireAligned("descriptor table", descriptors, VirtqDesc.ALIGNMENT);
        requireAligned("available ring", avail, VirtqAvail.ALIGNMENT);
        requireAligned("used ring", used, VirtqUsed.ALIGNMENT);
    }

    private static void requireAligned(String area, long address, int alignment) {
        if ((address & (alignment - 1)) != 0) {
            throw new IllegalArgumentException(area + " at 0x" + Long.toHexString(address) + " is not aligned to " + alignment);
        }
    }
}
