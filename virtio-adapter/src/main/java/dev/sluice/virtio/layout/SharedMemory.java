package dev.sluice.virtio.layout;

import dev.sluice.linux.NativeMemory;
import java.lang.foreign.MemorySegment;
import java.util.Objects;

/**
 * Loads and stores in memory that another process can write, and truncate, at any time: bounds are checked against the segment, unless that is {@link
 * HostMemory}; the access itself goes through {@link NativeMemory}, because a plain segment access to a truncated mapping can end the JVM.
 *
 * <p>Little endian, as both architectures are. The segment is native; a heap segment is refused. Allocates nothing.
 */
final class SharedMemory {
    private SharedMemory() {}

    private static long address(MemorySegment memory, long offset, int bytes) {
        if (HostMemory.is(memory)) {
            return offset;
        }
        if (!memory.isNative()) {
            throw new IllegalArgumentException("shared memory is native memory");
        }
        return memory.address() + Objects.checkFromIndexSize(offset, bytes, memory.byteSize());
    }

    static int u16(MemorySegment memory, long offset) {
        return NativeMemory.getShort(address(memory, offset, 2)) & 0xFFFF;
    }

    static void u16(MemorySegment memory, long offset, int value) {
        NativeMemory.putShort(address(memory, offset, 2), (short) value);
    }

    static int u16Acquire(MemorySegment memory, long offset) {
        return NativeMemory.getShortAcquire(address(memory, offset, 2)) & 0xFFFF;
    }

    static void u16Release(MemorySegment memory, long offset, int value) {
        NativeMemory.putShortRelease(address(memory, offset, 2), (short) value);
    }

    static int u32(MemorySegment memory, long offset) {
        return NativeMemory.getInt(address(memory, offset, 4));
    }

    static void u32(MemorySegment memory, long offset, int value) {
        NativeMemory.putInt(address(memory, offset, 4), value);
    }

    static long u64(MemorySegment memory, long offset) {
        return NativeMemory.getLong(address(memory, offset, 8));
    }

    static void u64(MemorySegment memory, long offset, long value) {
        NativeMemory.putLong(address(memory, offset, 8), value);
    }
}
