package dev.sluice.virtio.layout;

import java.lang.foreign.MemorySegment;

/**
 * The available ring, written by the driver. VIRTIO 1.3 §2.7.6.
 *
 * <pre>
 * struct virtq_avail {
 *     le16 flags;
 *     le16 idx;
 *     le16 ring[queue_size];
 *     le16 used_event;   // with VIRTIO_F_EVENT_IDX
 * };
 * </pre>
 */
public final class VirtqAvail {
    public static final int ALIGNMENT = 2;
    public static final int FLAGS = 0;
    public static final int IDX = 2;
    public static final int RING = 4;

    /** Without EVENT_IDX: the driver needs no call. */
    public static final int F_NO_INTERRUPT = 1;

    private VirtqAvail() {}

    /** Bytes of a ring. VIRTIO 1.3 §2.7.6: {@code used_event} is part of it only if EVENT_IDX was negotiated. */
    public static long sizeBytes(int queueSize, boolean eventIdx) {
        return (eventIdx ? 6L : 4L) + 2L * queueSize;
    }

    public static int flags(MemorySegment memory, long base) {
        return SharedMemory.u16(memory, base + FLAGS);
    }

    public static void flags(MemorySegment memory, long base, int flags) {
        SharedMemory.u16(memory, base + FLAGS, flags);
    }

    /** Acquire: pairs with the driver's {@link #idxRelease}, so that entries and descriptors below it are visible. */
    public static int idxAcquire(MemorySegment memory, long base) {
        return SharedMemory.u16Acquire(memory, base + IDX);
    }

    /** Release: pairs with the device's {@link #idxAcquire}. */
    public static void idxRelease(MemorySegment memory, long base, int idx) {
        SharedMemory.u16Release(memory, base + IDX, idx);
    }

    public static int ring(MemorySegment memory, long base, int slot) {
        return SharedMemory.u16(memory, base + RING + 2L * slot);
    }

    public static void ring(MemorySegment memory, long base, int slot, int headIndex) {
        SharedMemory.u16(memory, base + RING + 2L * slot, headIndex);
    }

    /** The used index after which the driver wants a call. */
    public static int usedEvent(MemorySegment memory, long base, int queueSize) {
        return SharedMemory.u16(memory, base + RING + 2L * queueSize);
    }

    public static void usedEvent(MemorySegment memory, long base, int queueSize, int event) {
        SharedMemory.u16(memory, base + RING + 2L * queueSize, event);
    }
}
