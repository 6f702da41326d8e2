package dev.sluice.simulation;

import dev.sluice.virtio.layout.VirtqDesc;

/**
 * What a queue has of its driver's memory: its rings, tables of indirect descriptors, headers, data. It ends with the used ring, so that the event word behind
 * it is there only with EVENT_IDX.
 */
final class Layout {
    static final int QUEUE_SIZE = 32;
    static final int QUEUE_MASK = QUEUE_SIZE - 1;

    /** Room for short data, of each queue in each region. */
    static final int DATA_SLOTS = 16;

    static final int SLOT_BYTES = 4096 + 512;
    static final int BIG_BYTES = 320 * 1024;

    /** Parts of a request that is not cut into many segments. */
    static final int TABLE_ENTRIES = 24;

    /** Requests of many segments at once: more than the device has room for. */
    static final int WIDE_TABLES = 12;

    /** One segment more than the device serves, and header, status and what is around them. */
    static final int WIDE_ENTRIES = 1025 + 7;

    static final int HEADER_BYTES = 128;
    static final int EXTRA_READABLE = 32;
    static final int EXTRA_WRITABLE = 64;
    static final int EXTRA_BYTES = 16;
    static final int STATUS = 100;

    static final long DESCRIPTORS = 0;
    static final long AVAIL = DESCRIPTORS + (long) QUEUE_SIZE * VirtqDesc.SIZE;
    static final long TABLES = 4096;
    static final long WIDE = TABLES + (long) QUEUE_SIZE * TABLE_ENTRIES * VirtqDesc.SIZE;
    static final long HEADERS = WIDE + (long) WIDE_TABLES * WIDE_ENTRIES * VirtqDesc.SIZE;
    static final long DATA = HEADERS + (long) QUEUE_SIZE * HEADER_BYTES;
    static final long BIG = DATA + (long) DATA_SLOTS * SLOT_BYTES;
    static final long USED = (BIG + BIG_BYTES + 4095) / 4096 * 4096;
    /** What a queue takes of the region; the last one ends with its used ring. */
    static final long BYTES = USED + 4096;

    private Layout() {}

    /** From its first byte to the end of its used ring. */
    static long bytes(boolean eventIdx) {
        return USED + usedBytes(eventIdx);
    }

    /** VIRTIO 1.3 §2.7.8, computed here as well: flags, idx, elements, and the event word only with EVENT_IDX. */
    static long usedBytes(boolean eventIdx) {
        return 4 + 8L * QUEUE_SIZE + (eventIdx ? 2 : 0);
    }
}
