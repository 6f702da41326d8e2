package dev.sluice.simulation;

import java.util.SplittableRandom;

/** Where the driver of a queue has the data of its requests: slots of 4096 bytes in each of two regions, and one place for a long request. */
final class DataSlots {
    private final int index;
    private final GuestRegion rings;
    private final long base;
    private final SplittableRandom random;
    private final boolean[] slotUsed = new boolean[Layout.DATA_SLOTS];
    private boolean bigUsed;

    DataSlots(int index, GuestRegion rings, long base, SplittableRandom random) {
        this.index = index;
        this.rings = rings;
        this.base = base;
        this.random = random;
    }

    /** False if there is no room. */
    boolean place(GuestRequest request) {
        int bytes = request.bytes();
        if (bytes == 0) {
            return true;
        }
        if (bytes > 4096) {
            if (bigUsed || request.region != rings) {
                return false;
            }
            bigUsed = true;
            request.dataSlot = Layout.DATA_SLOTS;
            request.dataAt = base + Layout.BIG + random.nextInt(512);
            return true;
        }
        for (int slot = 0; slot < Layout.DATA_SLOTS; slot++) {
            if (!slotUsed[slot]) {
                slotUsed[slot] = true;
                request.dataSlot = slot;
                long at =
                        (request.region == rings ? base + Layout.DATA : (long) index * Layout.DATA_SLOTS * Layout.SLOT_BYTES) + (long) slot * Layout.SLOT_BYTES;
                request.dataAt = random.nextInt(3) == 0 ? at + random.nextInt(512) : (at + 511) / 512 * 512;
                return true;
            }
        }
        return false;
    }

    void free(GuestRequest request) {
        if (request.dataSlot == Layout.DATA_SLOTS) {
            bigUsed = false;
        } else if (request.dataSlot >= 0) {
            slotUsed[request.dataSlot] = false;
        }
    }
}
