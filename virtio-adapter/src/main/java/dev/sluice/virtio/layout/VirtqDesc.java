package dev.sluice.virtio.layout;

import java.lang.foreign.MemorySegment;

/**
 * A descriptor of a split virtqueue, also in an indirect table of one; those of a packed one have other fields. VIRTIO 1.3 §2.7.5.
 *
 * <pre>
 * struct virtq_desc {
 *     le64 addr;   // guest physical
 *     le32 len;
 *     le16 flags;
 *     le16 next;
 * };
 * </pre>
 */
public final class VirtqDesc {
    public static final int SIZE = 16;
    public static final int ALIGNMENT = 16;

    public static final int ADDR = 0;
    public static final int LEN = 8;
    public static final int FLAGS = 12;
    public static final int NEXT = 14;

    /** The chain continues at {@code next}. */
    public static final int F_NEXT = 1;
    /** The device writes this buffer (else it reads it). */
    public static final int F_WRITE = 2;
    /** The buffer is a table of descriptors. */
    public static final int F_INDIRECT = 4;

    private VirtqDesc() {}

    public static long addr(MemorySegment memory, long base) {
        return SharedMemory.u64(memory, base + ADDR);
    }

    /** The three fields behind the address in one load: {@link #len}, {@link #flags} and {@link #next} take it apart. */
    public static long lenFlagsNext(MemorySegment memory, long base) {
        return SharedMemory.u64(memory, base + LEN);
    }

    /** Unsigned 32 bits in a long. */
    public static long len(long lenFlagsNext) {
        return lenFlagsNext & 0xFFFF_FFFFL;
    }

    public static int flags(long lenFlagsNext) {
        return (int) (lenFlagsNext >>> 32) & 0xFFFF;
    }

    public static int next(long lenFlagsNext) {
        return (int) (lenFlagsNext >>> 48);
    }

    public static void set(MemorySegment memory, long base, long addr, long len, int flags, int next) {
        SharedMemory.u64(memory, base + ADDR, addr);
        // The three of them in one store: a driver writes four descriptors for a request.
        SharedMemory.u64(
                memory, base + LEN, (len & 0xFFFF_FFFFL) | (flags & 0xFFFFL) << 32 | (next & 0xFFFFL) << 48);
    }
}
