package dev.sluice.linux;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;

/**
 * Loads and stores at raw addresses, for the rings, iovecs and mappings of this process.
 *
 * <p>The caller guarantees that the whole access is in live memory; an address outside any mapping kills the JVM
 * (SIGSEGV). Code that accesses addresses which a guest can choose validates them first. Plain accesses support any
 * alignment; they are atomic if the address is a multiple of their size. Acquire, release and volatile ones require that
 * alignment, or throw {@code IllegalArgumentException}: a ring whose address a peer chose is validated at set-up. Byte
 * order is the machine's, little endian on both architectures, as virtio requires.
 *
 * <p><b>Failure</b>: a mapping whose file was truncated by someone else raises SIGBUS, which HotSpot turns into an
 * {@code InternalError} ("a fault occurred in an unsafe memory access operation"). Seen with JDK 25 on x86_64:
 *
 * <ul>
 *   <li>Interpreted code gets it at the access. <b>Compiled code gets it late</b>: it continues, a faulted load having
 *       read garbage and a faulted store having stored nothing, until the next safepoint poll or native call. The polls
 *       are at the return of the compiled method, not of inlined ones, and in loops that are not counted; so a {@code catch}
 *       around the access can miss it. {@link #surfaceFault()} before the end of the {@code try}, and before anything
 *       that must not act on garbage, makes it exact.
 *   <li>A system call made in the meantime takes place; then the error is thrown instead of its result.
 *   <li>HotSpot's handler decodes the instruction that faulted and kills the JVM at one that it does not know. The
 *       methods here are built so that it knows all of their instructions. <b>Plain {@code MemorySegment} loads are not</b>
 *       ({@code long x = segment.get(JAVA_INT, 0)} compiled by C2 is fatal): parse shared memory through this class, and
 *       copy data with its methods. A {@link #view} of shared memory is only for system calls.
 *   <li>A file sealed with F_SEAL_SHRINK cannot be truncated: {@link Memfd#addSeals} if the peer allows it.
 *   <li>Memory passed to a system call is safe: the kernel returns -EFAULT.
 * </ul>
 *
 * <p><b>Threading</b>: any thread; plain accesses guarantee no order. <b>Ownership</b>: takes
 * none. <b>Allocation</b>: none per access. Source: JEP 454, VarHandle.
 */
public final class NativeMemory {
    private static final MemorySegment ALL = everything();
    private static final VarHandle SHORT = ValueLayout.JAVA_SHORT.varHandle();
    private static final VarHandle INT = ValueLayout.JAVA_INT.varHandle();
    private static final VarHandle LONG = ValueLayout.JAVA_LONG.varHandle();

    // HotSpot's SIGBUS handler decodes the instruction that faulted, to step over it, and kills the JVM at one it does not
    // know. C2 folds a load into the one instruction that uses it, and some of those are unknown: movslq (int to long),
    // testb, popcnt, cvtsi2sd. A load with two uses is not folded: so every load here is also compared with a number.
    // The comparison guards a fence, which C2 must keep and which compiles to no instruction. 0.1 ns on x86_64.
    private static final int SECOND_USE = 0x5a3c;

    /** Whether HotSpot's stub for large copies is marked as an access that may fault: see {@link WordCopy}. */
    private static final boolean STUB_SURVIVES_FAULTS = "amd64".equals(System.getProperty("os.arch"));

    /** Of {@link #surfaceFault}: not final, so that the compilers do not count its iterations. */
    private static int faultPollStep = 1;

    private NativeMemory() {}

    @SuppressWarnings("restricted")
    private static MemorySegment everything() {
        return MemorySegment.NULL.reinterpret(Long.MAX_VALUE);
    }

    public static byte getByte(long address) {
        byte value = ALL.get(ValueLayout.JAVA_BYTE, address);
        if (value == (byte) SECOND_USE) {
            VarHandle.loadLoadFence();
        }
        return value;
    }

    public static short getShort(long address) {
        return unfolded(ALL.get(ValueLayout.JAVA_SHORT_UNALIGNED, address));
    }

    public static int getInt(long address) {
        return unfolded(ALL.get(ValueLayout.JAVA_INT_UNALIGNED, address));
    }

    public static long getLong(long address) {
        return unfolded(ALL.get(ValueLayout.JAVA_LONG_UNALIGNED, address));
    }

    public static void putByte(long address, byte value) {
        ALL.set(ValueLayout.JAVA_BYTE, address, value);
    }

    public static void putShort(long address, short value) {
        ALL.set(ValueLayout.JAVA_SHORT_UNALIGNED, address, value);
    }

    public static void putInt(long address, int value) {
        ALL.set(ValueLayout.JAVA_INT_UNALIGNED, address, value);
    }

    public static void putLong(long address, long value) {
        ALL.set(ValueLayout.JAVA_LONG_UNALIGNED, address, value);
    }

    public static short getShortAcquire(long address) {
        return unfolded((short) SHORT.getAcquire(ALL, address));
    }

    public static short getShortVolatile(long address) {
        return unfolded((short) SHORT.getVolatile(ALL, address));
    }

    // A release store and a volatile one, composed of fences: the interpreter's own are an xchgw, which the SIGBUS
    // handler does not know either. Compiled, they are the same instructions.

    public static void putShortRelease(long address, short value) {
        VarHandle.releaseFence();
        ALL.set(ValueLayout.JAVA_SHORT, address, value);
    }

    public static void putShortVolatile(long address, short value) {
        putShortRelease(address, value);
        VarHandle.fullFence();
    }

    public static int getIntAcquire(long address) {
        return unfolded((int) INT.getAcquire(ALL, address));
    }

    public static int getIntVolatile(long address) {
        return unfolded((int) INT.getVolatile(ALL, address));
    }

    public static void putIntRelease(long address, int value) {
        INT.setRelease(ALL, address, value);
    }

    public static void putIntVolatile(long address, int value) {
        INT.setVolatile(ALL, address, value);
    }

    public static long getLongAcquire(long address) {
        return unfolded((long) LONG.getAcquire(ALL, address));
    }

    public static long getLongVolatile(long address) {
        return unfolded((long) LONG.getVolatile(ALL, address));
    }

    public static void putLongRelease(long address, long value) {
        LONG.setRelease(ALL, address, value);
    }

    public static void putLongVolatile(long address, long value) {
        LONG.setVolatile(ALL, address, value);
    }

    /** Loads before stay before loads and stores after; see VarHandle#acquireFence. */
    public static void acquireFence() {
        VarHandle.acquireFence();
    }

    /** Loads and stores before stay before stores after; see VarHandle#releaseFence. */
    public static void releaseFence() {
        VarHandle.releaseFence();
    }

    public static void loadLoadFence() {
        VarHandle.loadLoadFence();
    }

    public static void storeStoreFence() {
        VarHandle.storeStoreFence();
    }

    /** The only fence that keeps a store before a load, as "publish, then check whether to notify" requires. */
    public static void fullFence() {
        VarHandle.fullFence();
    }

    /** Copies bytes; the ranges may overlap. Survives truncated memory, for every size and alignment. */
    public static void copy(long sourceAddress, long targetAddress, long bytes) {
        if (STUB_SURVIVES_FAULTS) {
            MemorySegment.copy(ALL, sourceAddress, ALL, targetAddress, bytes);
        } else {
            WordCopy.copy(sourceAddress, targetAddress, bytes);
        }
    }

    /**
     * Copies bytes into an array; like {@link #copy}.
     *
     * @throws IndexOutOfBoundsException if the array is too short
     */
    public static void copyToArray(long sourceAddress, byte[] target, int targetOffset, int bytes) {
        if (STUB_SURVIVES_FAULTS) {
            MemorySegment.copy(ALL, ValueLayout.JAVA_BYTE, sourceAddress, target, targetOffset, bytes);
        } else {
            WordCopy.toArray(sourceAddress, target, targetOffset, bytes);
        }
    }

    /**
     * Copies bytes out of an array; like {@link #copy}.
     *
     * @throws IndexOutOfBoundsException if the array is too short
     */
    public static void copyFromArray(byte[] source, int sourceOffset, long targetAddress, int bytes) {
        if (STUB_SURVIVES_FAULTS) {
            MemorySegment.copy(source, sourceOffset, ALL, ValueLayout.JAVA_BYTE, targetAddress, bytes);
        } else {
            WordCopy.fromArray(source, sourceOffset, targetAddress, bytes);
        }
    }

    /**
     * Copies bytes into a segment of the caller's, on the heap or not, whose bounds and lifetime are checked; like {@link #copy}. The ranges do not overlap.
     *
     * @throws IndexOutOfBoundsException if the segment is too short
     * @throws IllegalArgumentException if the segment is read-only
     */
    public static void copyToSegment(long sourceAddress, MemorySegment target, long targetOffset, long bytes) {
        if (STUB_SURVIVES_FAULTS) {
            MemorySegment.copy(ALL, sourceAddress, target, targetOffset, bytes);
        } else {
            WordCopy.toSegment(sourceAddress, target, targetOffset, bytes);
        }
    }

    /**
     * Copies bytes out of a segment of the caller's, on the heap or not, whose bounds and lifetime are checked; like {@link #copy}. The ranges do not overlap.
     *
     * @throws IndexOutOfBoundsException if the segment is too short
     */
    public static void copyFromSegment(MemorySegment source, long sourceOffset, long targetAddress, long bytes) {
        if (STUB_SURVIVES_FAULTS) {
            MemorySegment.copy(source, sourceOffset, ALL, targetAddress, bytes);
        } else {
            WordCopy.fromSegment(source, sourceOffset, targetAddress, bytes);
        }
    }

    public static void fill(long address, long bytes, byte value) {
        ALL.asSlice(address, bytes).fill(value);
    }

    /**
     * Throws the {@code InternalError} now if an access of this thread has faulted. Half a nanosecond: once per pass over the
     * rings, before its results leave the loop.
     */
    public static void surfaceFault() {
        // Compiled code polls for the error where a loop goes back, unless it knows how often the loop does: twice round is one poll.
        int left = 2;
        do {
            left -= faultPollStep;
        } while (left > 0);
    }

    /** The range as a bounds-checked segment, for bulk copies; it does not keep the memory alive. */
    public static MemorySegment view(long address, long bytes) {
        return ALL.asSlice(address, bytes);
    }

    /** A zeroed block; {@code alignment} is a power of two. */
    public static NativeBlock allocate(long bytes, long alignment) {
        return new NativeBlock(bytes, alignment);
    }

    private static short unfolded(short value) {
        if (value == SECOND_USE) {
            VarHandle.loadLoadFence();
        }
        return value;
    }

    private static int unfolded(int value) {
        if (value == SECOND_USE) {
            VarHandle.loadLoadFence();
        }
        return value;
    }

    private static long unfolded(long value) {
        if (value == SECOND_USE) {
            VarHandle.loadLoadFence();
        }
        return value;
    }
}
