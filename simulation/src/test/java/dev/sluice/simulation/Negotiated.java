package dev.sluice.simulation;

import dev.sluice.virtio.layout.VirtioFeatures;
import java.util.SplittableRandom;

/** What the driver accepts. */
record Negotiated(boolean eventIdx, boolean indirect, boolean flush, boolean wce, boolean discard, boolean writeZeroes) {
    static Negotiated of(SplittableRandom random) {
        return new Negotiated(random.nextBoolean(), random.nextInt(4) != 0, random.nextInt(6) != 0, random.nextInt(6) != 0, random.nextInt(6) != 0,
                random.nextInt(6) != 0);
    }

    /** Of a disk that does not offer it. */
    Negotiated withoutWriteZeroes() {
        return new Negotiated(eventIdx, indirect, flush, wce, discard, false);
    }

    long features() {
        return VirtioFeatures.VERSION_1 | VirtioFeatures.VHOST_USER_PROTOCOL_FEATURES | VirtioFeatures.BLK_SEG_MAX | VirtioFeatures.BLK_MQ
                | (flush ? VirtioFeatures.BLK_FLUSH : 0) | (wce ? VirtioFeatures.BLK_CONFIG_WCE : 0) | (discard ? VirtioFeatures.BLK_DISCARD : 0)
                | (writeZeroes ? VirtioFeatures.BLK_WRITE_ZEROES : 0) | (eventIdx ? VirtioFeatures.EVENT_IDX : 0)
                | (indirect ? VirtioFeatures.INDIRECT_DESC : 0);
    }
}
