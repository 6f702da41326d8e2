/**
 * The wire: one class without instances for each structure of the specifications, with accessors over
 * {@code (MemorySegment, long base)}. Device side and driver side share this package and nothing else.
 *
 * <p>Everything is little endian. Accessors allocate nothing and check bounds through the segment alone, in {@link
 * dev.sluice.virtio.layout.HostMemory} not at all; whether a value makes sense is the caller's to check, on its own copy.
 */
@NullMarked
package dev.sluice.virtio.layout;

import org.jspecify.annotations.NullMarked;
