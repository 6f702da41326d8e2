package dev.sluice.linux;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.LongConsumer;

/**
 * A program that accesses a mapping whose file was truncated, in every way that NativeMemory offers and in the shapes
 * that C2 would fold into one instruction. NativeMemoryFaultTest runs it interpreted and compiled.
 */
final class TruncatedMapping {
    private static final int WARM_UP = Integer.getInteger("warm-up", 30_000);
    private static final int PAGE = 4096;
    private static final int LOADS = 8;
    private static final byte[] ARRAY = new byte[PAGE];
    private static final MemorySegment HEAP = MemorySegment.ofArray(ARRAY);
    private static final MemorySegment NATIVE = MemorySegment.ofBuffer(ByteBuffer.allocateDirect(PAGE));

    private static long sink;
    private static int shift = 3;
    private static long scratch;

    private TruncatedMapping() {}

    public static void main(String[] arguments) throws IOException {
        try (NativeBlock block = NativeMemory.allocate(PAGE, 8)) {
            scratch = block.address();
            for (Map.Entry<String, LongConsumer> access : accesses().entrySet()) {
                check(access.getKey(), access.getValue());
            }
            checkThatSurfaceFaultIsExact();
        }
        System.out.println("all surfaced " + sink);
    }

    private static Map<String, LongConsumer> accesses() {
        Map<String, LongConsumer> all = new LinkedHashMap<>();
        all.put("getByte", a -> sink += NativeMemory.getByte(a));
        all.put("getByte and test", a -> sink += (NativeMemory.getByte(a) & 4) != 0 ? 1 : 2);
        all.put("getShort", a -> sink += NativeMemory.getShort(a));
        all.put("getShort unsigned", a -> sink += Short.toUnsignedInt(NativeMemory.getShort(a)));
        all.put("getShort unaligned", a -> sink += NativeMemory.getShort(a + 1));
        all.put("getInt", a -> shift += NativeMemory.getInt(a));
        all.put("getInt to long", a -> sink += NativeMemory.getInt(a));
        all.put("getInt to unsigned long", a -> sink += Integer.toUnsignedLong(NativeMemory.getInt(a)));
        all.put("getInt and test", a -> sink += (NativeMemory.getInt(a) & 0x10000) != 0 ? 1 : 2);
        all.put("getInt and shift", a -> sink += NativeMemory.getInt(a) << shift);
        all.put("getInt to double", a -> sink += (double) NativeMemory.getInt(a) > 3.5 ? 1 : 2);
        all.put("getInt and bit count", a -> sink += Integer.bitCount(NativeMemory.getInt(a)));
        all.put("getInt unaligned", a -> sink += NativeMemory.getInt(a + 3));
        all.put("getLong", a -> sink += NativeMemory.getLong(a));
        all.put("getLong unaligned", a -> sink += NativeMemory.getLong(a + 5));
        all.put("getShortAcquire", a -> sink += NativeMemory.getShortAcquire(a));
        all.put("getIntAcquire", a -> sink += NativeMemory.getIntAcquire(a));
        all.put("getLongAcquire", a -> sink += NativeMemory.getLongAcquire(a));
        all.put("getShortVolatile", a -> sink += NativeMemory.getShortVolatile(a));
        all.put("getIntVolatile", a -> sink += NativeMemory.getIntVolatile(a));
        all.put("getLongVolatile", a -> sink += NativeMemory.getLongVolatile(a));
        all.put("putByte", a -> NativeMemory.putByte(a, (byte) sink));
        all.put("putByte constant", a -> NativeMemory.putByte(a, (byte) 1));
        all.put("putShort", a -> NativeMemory.putShort(a, (short) sink));
        all.put("putShort constant", a -> NativeMemory.putShort(a, (short) 0x1234));
        all.put("putInt", a -> NativeMemory.putInt(a, (int) sink));
        all.put("putInt constant", a -> NativeMemory.putInt(a, 0x12345678));
        all.put("putInt unaligned", a -> NativeMemory.putInt(a + 1, (int) sink));
        all.put("putLong", a -> NativeMemory.putLong(a, sink));
        all.put("putLong constant", a -> NativeMemory.putLong(a, 7));
        all.put("putShortRelease", a -> NativeMemory.putShortRelease(a, (short) sink));
        all.put("putIntRelease", a -> NativeMemory.putIntRelease(a, (int) sink));
        all.put("putLongRelease", a -> NativeMemory.putLongRelease(a, sink));
        all.put("putShortVolatile", a -> NativeMemory.putShortVolatile(a, (short) sink));
        all.put("putIntVolatile", a -> NativeMemory.putIntVolatile(a, (int) sink));
        all.put("putLongVolatile", a -> NativeMemory.putLongVolatile(a, sink));
        all.put("add in place", a -> NativeMemory.putInt(a, NativeMemory.getInt(a) + 1000));
        all.put("shift in place", a -> NativeMemory.putInt(a, NativeMemory.getInt(a) << 1));
        all.put("negate in place", a -> NativeMemory.putLong(a, ~NativeMemory.getLong(a)));
        all.put("load loop", TruncatedMapping::loadLoop);
        all.put("test loop", TruncatedMapping::testLoop);
        all.put("bit count loop", TruncatedMapping::bitCountLoop);
        all.put("descriptor loop", TruncatedMapping::descriptorLoop);
        all.put("store loop", TruncatedMapping::storeLoop);
        for (int bytes : new int[] {1, 7, 16, 63, 512, 4000}) {
            all.put("copy from " + bytes, a -> NativeMemory.copy(a, scratch, bytes));
            all.put("copy to " + bytes, a -> NativeMemory.copy(scratch, a, bytes));
            all.put("copy from an odd address " + bytes, a -> NativeMemory.copy(a + 3, scratch, bytes));
            all.put("copy to an odd address " + bytes, a -> NativeMemory.copy(scratch, a + 3, bytes));
            all.put("copy to array " + bytes, a -> NativeMemory.copyToArray(a, ARRAY, 0, bytes));
            all.put("copy from array " + bytes, a -> NativeMemory.copyFromArray(ARRAY, 0, a, bytes));
            all.put("copy to heap segment " + bytes, a -> NativeMemory.copyToSegment(a + 1, HEAP, 0, bytes));
            all.put("copy from heap segment " + bytes, a -> NativeMemory.copyFromSegment(HEAP, 0, a + 1, bytes));
            all.put("copy to native segment " + bytes, a -> NativeMemory.copyToSegment(a, NATIVE, 1, bytes));
            all.put("copy from native segment " + bytes, a -> NativeMemory.copyFromSegment(NATIVE, 1, a, bytes));
            all.put("word copy to heap segment " + bytes, a -> WordCopy.toSegment(a + 1, HEAP, 0, bytes));
            all.put("word copy from heap segment " + bytes, a -> WordCopy.fromSegment(HEAP, 0, a + 1, bytes));
            all.put("word copy to native segment " + bytes, a -> WordCopy.toSegment(a, NATIVE, 1, bytes));
            all.put("word copy from native segment " + bytes, a -> WordCopy.fromSegment(NATIVE, 1, a, bytes));
            all.put("word copy from " + bytes, a -> WordCopy.copy(a + 1, scratch, bytes));
            all.put("word copy to " + bytes, a -> WordCopy.copy(scratch, a + 1, bytes));
            all.put("word copy backward " + bytes, a -> WordCopy.copy(a, a + 5, bytes));
            all.put("word copy to array " + bytes, a -> WordCopy.toArray(a + 1, ARRAY, 0, bytes));
            all.put("word copy from array " + bytes, a -> WordCopy.fromArray(ARRAY, 0, a + 1, bytes));
            all.put("fill " + bytes, a -> NativeMemory.fill(a, bytes, (byte) 0));
            all.put("fill ones " + bytes, a -> NativeMemory.fill(a, bytes, (byte) 1));
        }
        return all;
    }

    private static void loadLoop(long address) {
        long sum = 0;
        for (int i = 0; i < 64; i++) {
            sum += NativeMemory.getInt(address + i * 4L);
        }
        sink += sum;
    }

    private static void testLoop(long address) {
        int set = 0;
        for (int i = 0; i < 64; i++) {
            if ((NativeMemory.getByte(address + i) & 2) != 0 || (NativeMemory.getInt(address + i * 4L) & 0x40000) != 0) {
                set++;
            }
        }
        sink += set;
    }

    private static void bitCountLoop(long address) {
        long bits = 0;
        for (int i = 0; i < 64; i++) {
            bits += Long.bitCount(NativeMemory.getLong(address + i * 8L)) + Integer.bitCount(NativeMemory.getInt(address));
        }
        sink += bits;
    }

    /** As a descriptor table is walked: address, length, flags and next of each. */
    private static void descriptorLoop(long address) {
        long total = 0;
        for (long at = address; at < address + 1024; at += 16) {
            long buffer = NativeMemory.getLong(at);
            long length = Integer.toUnsignedLong(NativeMemory.getInt(at + 8));
            short flags = NativeMemory.getShort(at + 12);
            if ((flags & 1) != 0) {
                total += Short.toUnsignedInt(NativeMemory.getShort(at + 14));
            }
            total += buffer + length;
        }
        sink += total;
    }

    private static void storeLoop(long address) {
        for (int i = 0; i < 64; i++) {
            NativeMemory.putLong(address + i * 8L, i);
        }
    }

    private static void check(String name, LongConsumer access) throws IOException {
        System.out.println(name);
        try (Fd file = Fd.adopt(Memfd.create("truncated", Memfd.MFD_CLOEXEC))) {
            require(LinuxFile.ftruncate(file.number(), PAGE) == 0, name);
            try (Mapping mapping = Mapping.shared(file.number(), 0, PAGE)) {
                for (int i = 0; i < WARM_UP; i++) {
                    access.accept(mapping.address());
                }
                require(LinuxFile.ftruncate(file.number(), 0) == 0, name);
                for (int i = 0; i < 3; i++) {
                    require(faults(access, mapping.address()), name);
                }
            }
        }
    }

    private static boolean faults(LongConsumer access, long address) {
        try {
            access.accept(address);
            NativeMemory.surfaceFault();
            return false;
        } catch (InternalError e) {
            return true;
        }
    }

    private static void checkThatSurfaceFaultIsExact() throws IOException {
        try (Fd file = Fd.adopt(Memfd.create("truncated", Memfd.MFD_CLOEXEC))) {
            require(LinuxFile.ftruncate(file.number(), PAGE) == 0, "ftruncate");
            try (Mapping mapping = Mapping.shared(file.number(), 0, PAGE)) {
                for (int i = 0; i < WARM_UP; i++) {
                    require(loadIsWhole(mapping.address()), "warm-up");
                    require(wholeLoads(mapping.address()) == LOADS, "warm-up");
                }
                require(LinuxFile.ftruncate(file.number(), 0) == 0, "ftruncate");
                for (int i = 0; i < 100; i++) {
                    require(!loadIsWhole(mapping.address()), "surfaceFault");
                    require(wholeLoads(mapping.address()) == 0, "surfaceFault in a loop");
                }
            }
        }
    }

    /** Compiled as a whole, so that the error without surfaceFault would come when the catch is left behind. */
    private static boolean loadIsWhole(long address) {
        try {
            sink += NativeMemory.getLong(address);
            NativeMemory.surfaceFault();
            return true;
        } catch (InternalError e) {
            return false;
        }
    }

    /** Each error belongs to the load before it, though all are in one compiled loop. */
    private static int wholeLoads(long address) {
        int whole = 0;
        for (int i = 0; i < LOADS; i++) {
            try {
                sink += NativeMemory.getShort(address + 2L * i);
                NativeMemory.surfaceFault();
                whole++;
            } catch (InternalError e) {
                sink++;
            }
        }
        return whole;
    }

    private static void require(boolean condition, String name) {
        if (!condition) {
            throw new IllegalStateException("no InternalError: " + name);
        }
    }
}
