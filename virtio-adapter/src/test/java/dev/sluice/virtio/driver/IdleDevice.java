package dev.sluice.virtio.driver;

import dev.sluice.virtio.layout.VirtqAvail;
import dev.sluice.virtio.layout.VirtqUsed;
import java.lang.foreign.MemorySegment;

/** Uses whatever is available without looking at it, writing no status. */
final class IdleDevice {
    private final SplitDriverRing ring;
    private final MemorySegment memory;
    private int idx;

    IdleDevice(SplitDriverRing ring) {
        this.ring = ring;
        this.memory = ring.region().memory();
        this.idx = ring.availIdx();
    }

    void useAll() {
        int avail = VirtqAvail.idxAcquire(memory, ring.availOffset());
        int mask = ring.size() - 1;
        while (idx != avail) {
            int head = VirtqAvail.ring(memory, ring.availOffset(), idx & mask);
            VirtqUsed.element(memory, ring.usedOffset(), idx & mask, head, 1);
            idx = (idx + 1) & 0xFFFF;
        }
        VirtqUsed.idxRelease(memory, ring.usedOffset(), idx);
    }
}
