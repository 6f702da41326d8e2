package dev.sluice.virtio.layout;

import java.lang.foreign.MemorySegment;

/**
 * The used ring, written by the device. VIRTIO 1.3 §2.7.8.
 *
 * <pre>
 * struct virtq_used {
 *     le16 flags;
 *     le16 idx;
 *     struct virtq_used_elem { le32 id; le32 len; } ring[queue_size];
 *     le16 avail_event;   // with VIRTIO_F_EVENT_IDX
 * };
 * </pre>
 */
public final class VirtqUsed {
    public static final int ALIGNMENT = 4;
    public static final int FLAGS = 0;
    public static final int IDX = 2;
    public static final int RING = 4;
    public static final int ELEMENT_SIZE = 8;

    /** Without EVENT_IDX: the device needs no kick. */
    public static final int F_NO_NOTIFY = 1;

    private VirtqUsed() {}

    /** Bytes of a ring. VIRTIO 1.3 §2.7.8: {@code avail_event} is part of it only if EVENT_IDX was negotiated. */
    public static long sizeBytes(int queueSize, boolean eventIdx) {
        return (eventIdx ? 6L : 4L) + (long) ELEMENT_SIZE * queueSize;
    }

    public static int flags(MemorySegment memory, long base) {
        return SharedMemory.u16(memory, base + FLAGS);
    }

    public static void flags(MemorySegment memory, long base, int flags) {
        SharedMemory.u16(memory, base + FLAGS, flags);
    }

    /** Acquire: pairs with the device's {@link #idxRelease}, so that elements, data and status below it are visible. */
    public static int idxAcquire(MemorySegment memory, long base) {
        return SharedMemory.u16Acquire(memory, base + IDX);
    }

    /** Release: pairs with the driver's {@link #idxAcquire}. */
    public static void idxRelease(MemorySegment memory, long base, int idx) {
        SharedMemory.u16Release(memory, base + IDX, idx);
    }

    /** Where an element lies in the ring, or, at {@code queueSize}, {@code avail_event}. */
    public static long elementOffset(int slot) {
        return RING + (long) ELEMENT_SIZE * slot;
    }

    /** Head index of an element: 32 bits on the wire, all of them returned. */
    public static int elementId(MemorySegment memory, long base, int slot) {
        return SharedMemory.u32(memory, base + elementOffset(slot));
    }

    public static int elementLen(MemorySegment memory, long base, int slot) {
        return SharedMemory.u32(memory, base + elementOffset(slot) + 4);
    }

    public static void element(MemorySegment memory, long base, int slot, int headIndex, int writtenBytes) {
        // Both fields in one store.
        SharedMemory.u64(memory, base + elementOffset(slot), Integer.toUnsignedLong(headIndex) | (long) writtenBytes << 32);
    }

    /** The available index after which the device wants a kick. */
    public static int availEvent(MemorySegment memory, long base, int queueSize) {
        return SharedMemory.u16(memory, base + elementOffset(queueSize));
    }

    public static void availEvent(MemorySegment memory, long base, int queueSize, int event) {
        SharedMemory.u16(memory, base + elementOffset(queueSize), event);
    }

    /**
     * The comparison of VIRTIO 1.3 §2.7.10, modulo 2^16, for both rings; reads none. True where moving from {@code old} to
     * {@code now} passes {@code event}.
     */
    public static boolean needsEvent(int event, int now, int old) {
        return ((now - event - 1) & 0xFFFF) < ((now - old) & 0xFFFF);
    }
}
