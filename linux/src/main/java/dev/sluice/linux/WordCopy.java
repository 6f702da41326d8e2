package dev.sluice.linux;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.util.Objects;

/**
 * Copies made only of loads and stores of {@link NativeMemory}, of eight bytes each and of single bytes at the end.
 *
 * <p>For aarch64: there HotSpot's copy stub is not marked as an access that may fault, so that SIGBUS in it kills the process (seen with JDK 25, copies above
 * 80 bytes compiled by C2, to and from arrays as well). The accesses that {@link NativeMemory} compiles to are marked. On x86_64 the stub is marked, and
 * faster.
 *
 * <p><b>Threading</b>, <b>Failure</b>, <b>Allocation:</b> as in {@link NativeMemory}.
 */
final class WordCopy {
    private static final int WORD = Long.BYTES;
    private static final VarHandle WORD_OF_ARRAY = MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.nativeOrder());

    private WordCopy() {}

    /** Copies between addresses; the ranges may overlap. */
    static void copy(long source, long target, long bytes) {
        if (target > source && target < source + bytes) {
            copyBackward(source, target, bytes);
        } else {
            copyForward(source, target, bytes);
        }
    }

    private static void copyForward(long source, long target, long bytes) {
        long done = 0;
        for (; done <= bytes - WORD; done += WORD) {
            NativeMemory.putLong(target + done, NativeMemory.getLong(source + done));
        }
        for (; done < bytes; done++) {
            NativeMemory.putByte(target + done, NativeMemory.getByte(source + done));
        }
    }

    private static void copyBackward(long source, long target, long bytes) {
        long left = bytes;
        for (; left >= WORD; left -= WORD) {
            NativeMemory.putLong(target + left - WORD, NativeMemory.getLong(source + left - WORD));
        }
        for (; left > 0; left--) {
            NativeMemory.putByte(target + left - 1, NativeMemory.getByte(source + left - 1));
        }
    }

    static void toArray(long source, byte[] target, int offset, int bytes) {
        Objects.checkFromIndexSize(offset, bytes, target.length);
        int done = 0;
        for (; done <= bytes - WORD; done += WORD) {
            WORD_OF_ARRAY.set(target, offset + done, NativeMemory.getLong(source + done));
        }
        for (; done < bytes; done++) {
            target[offset + done] = NativeMemory.getByte(source + done);
        }
    }

    static void toSegment(long source, MemorySegment target, long offset, long bytes) {
        Objects.checkFromIndexSize(offset, bytes, target.byteSize());
        long done = 0;
        for (; done <= bytes - WORD; done += WORD) {
            target.set(ValueLayout.JAVA_LONG_UNALIGNED, offset + done, NativeMemory.getLong(source + done));
        }
        for (; done < bytes; done++) {
            target.set(ValueLayout.JAVA_BYTE, offset + done, NativeMemory.getByte(source + done));
        }
    }

    static void fromSegment(MemorySegment source, long offset, long target, long bytes) {
        Objects.checkFromIndexSize(offset, bytes, source.byteSize());
        long done = 0;
        for (; done <= bytes - WORD; done += WORD) {
            NativeMemory.putLong(target + done, source.get(ValueLayout.JAVA_LONG_UNALIGNED, offset + done));
        }
        for (; done < bytes; done++) {
            NativeMemory.putByte(target + done, source.get(ValueLayout.JAVA_BYTE, offset + done));
        }
    }

    static void fromArray(byte[] source, int offset, long target, int bytes) {
        Objects.checkFromIndexSize(offset, bytes, source.length);
        int done = 0;
        for (; done <= bytes - WORD; done += WORD) {
            NativeMemory.putLong(target + done, (long) WORD_OF_ARRAY.get(source, offset + done));
        }
        for (; done < bytes; done++) {
            NativeMemory.putByte(target + done, source[offset + done]);
        }
    }
}
