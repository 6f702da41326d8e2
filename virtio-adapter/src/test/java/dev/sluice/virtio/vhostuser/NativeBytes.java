package dev.sluice.virtio.vhostuser;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SegmentAllocator;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;

/** Native memory that this process has allocated and not freed, the JVM's own as well: mallinfo(3), {@code uordblks} and {@code hblkhd}. */
final class NativeBytes {
    private static final MemoryLayout MALLINFO2 = MemoryLayout.sequenceLayout(10, ValueLayout.JAVA_LONG);
    private static final int HBLKHD = 4;
    private static final int UORDBLKS = 7;
    @SuppressWarnings("restricted") // the call is what its descriptor says
    private static final MethodHandle CALL = Linker.nativeLinker().downcallHandle(
            Linker.nativeLinker().defaultLookup().findOrThrow("mallinfo2"), FunctionDescriptor.of(MemoryLayout.structLayout(MALLINFO2)));

    private NativeBytes() {}

    static long used() {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment info = (MemorySegment) CALL.invokeExact((SegmentAllocator) arena);
            return info.getAtIndex(ValueLayout.JAVA_LONG, UORDBLKS) + info.getAtIndex(ValueLayout.JAVA_LONG, HBLKHD);
        } catch (Throwable failed) {
            throw new AssertionError(failed);
        }
    }
}
