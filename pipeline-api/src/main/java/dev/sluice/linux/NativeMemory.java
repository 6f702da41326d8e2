package dev.sluice.linux;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;

/**
 * Loads and stores at raw addresses, for the rings, iovecs and mappings that this process owns.
 *
 * <p>The caller guarantees that the whole access lies in live memory; an address outside any mapping kills the JVM.
 * Code that touches what a guest may choose checks it first, or uses a bounded {@link #view}. Plain accesses tolerate
 * any alignment. Acquire, release, opaque and volatile ones need natural alignment, else
 * {@code IllegalArgumentException}: a ring whose address a guest chose is checked at set-up. Byte order is the
 * machine's, which is little endian on both architectures, as virtio wants.
 *
 * <p><b>Threading</b>: any thread; the plain accesses order nothing. <b>Ownership</b>: none is taken.
 * <b>Allocation</b>: none per access, once compiled. Source: JEP 454, VarHandle.
 */
public final class NativeMemory {
  private static final MemorySegment ALL = everything();
  private static final VarHandle SHORT = ValueLayout.JAVA_SHORT.varHandle();
  private static final VarHandle INT = ValueLayout.JAVA_INT.varHandle();
  private static final VarHandle LONG = ValueLayout.JAVA_LONG.varHandle();

  private NativeMemory() {}

  @SuppressWarnings("restricted")
  private static MemorySegment everything() {
    return MemorySegment.NULL.reinterpret(Long.MAX_VALUE);
  }

  public static byte getByte(long address) {
    return ALL.get(ValueLayout.JAVA_BYTE, address);
  }

  public static void putByte(long address, byte value) {
    ALL.set(ValueLayout.JAVA_BYTE, address, value);
  }

  public static short getShort(long address) {
    return ALL.get(ValueLayout.JAVA_SHORT_UNALIGNED, address);
  }

  public static void putShort(long address, short value) {
    ALL.set(ValueLayout.JAVA_SHORT_UNALIGNED, address, value);
  }

  public static int getInt(long address) {
    return ALL.get(ValueLayout.JAVA_INT_UNALIGNED, address);
  }

  public static void putInt(long address, int value) {
    ALL.set(ValueLayout.JAVA_INT_UNALIGNED, address, value);
  }

  public static long getLong(long address) {
    return ALL.get(ValueLayout.JAVA_LONG_UNALIGNED, address);
  }

  public static void putLong(long address, long value) {
    ALL.set(ValueLayout.JAVA_LONG_UNALIGNED, address, value);
  }

  public static short getShortAcquire(long address) {
    return (short) SHORT.getAcquire(ALL, address);
  }

  public static short getShortVolatile(long address) {
    return (short) SHORT.getVolatile(ALL, address);
  }

  public static void putShortRelease(long address, short value) {
    SHORT.setRelease(ALL, address, value);
  }

  public static void putShortVolatile(long address, short value) {
    SHORT.setVolatile(ALL, address, value);
  }

  public static int getIntAcquire(long address) {
    return (int) INT.getAcquire(ALL, address);
  }

  public static int getIntVolatile(long address) {
    return (int) INT.getVolatile(ALL, address);
  }

  public static void putIntRelease(long address, int value) {
    INT.setRelease(ALL, address, value);
  }

  public static void putIntVolatile(long address, int value) {
    INT.setVolatile(ALL, address, value);
  }

  public static long getLongAcquire(long address) {
    return (long) LONG.getAcquire(ALL, address);
  }

  public static long getLongVolatile(long address) {
    return (long) LONG.getVolatile(ALL, address);
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

  /** The only fence that keeps a store before a load: what "publish, then look whether to notify" needs. */
  public static void fullFence() {
    VarHandle.fullFence();
  }

  /** Copies bytes; the ranges may overlap. */
  public static void copy(long sourceAddress, long targetAddress, long bytes) {
    MemorySegment.copy(ALL, sourceAddress, ALL, targetAddress, bytes);
  }

  public static void fill(long address, long bytes, byte value) {
    ALL.asSlice(address, bytes).fill(value);
  }

  /** The range as a segment that is bounds checked; it does not keep the memory alive. */
  public static MemorySegment view(long address, long bytes) {
    return ALL.asSlice(address, bytes);
  }

  /** A zeroed block; {@code alignment} is a power of two. */
  public static NativeBlock allocate(long bytes, long alignment) {
    return new NativeBlock(bytes, alignment);
  }
}
