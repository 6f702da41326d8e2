package dev.sluice.virtio.layout;

import dev.sluice.linux.NativeMemory;
import java.lang.foreign.MemorySegment;

/**
 * The memory of this process, for those who have validated where a structure lies.
 *
 * <p>In it the base of a structure is its host address, and no access is checked once more: the caller guarantees that all of the structure is in live memory,
 * as {@link NativeMemory} demands. In any other segment the accessors of this package check each access.
 */
public final class HostMemory {
    public static final MemorySegment HOST = NativeMemory.view(0, Long.MAX_VALUE);

    private HostMemory() {}

    /** True for {@link #HOST} itself. Known to the compilers where the segment is a constant. */
    @SuppressWarnings("MemorySegmentReferenceEquality") // another segment of the same range checks its accesses
    static boolean is(MemorySegment memory) {
        return memory == HOST;
    }
}
