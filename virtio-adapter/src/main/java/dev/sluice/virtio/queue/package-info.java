/**
 * The device side of virtqueues: guest memory, rings, descriptor chains. Knows no block device.
 *
 * <p>Reading order: {@link dev.sluice.virtio.queue.GuestMemory} with its {@link dev.sluice.virtio.queue.MemoryRegion}s and the port {@link
 * dev.sluice.virtio.queue.GuestWrites}, {@link dev.sluice.virtio.queue.DeviceRing} (what a device needs of a ring) and {@link
 * dev.sluice.virtio.queue.DescriptorChain} (one request's buffers, copied once and validated), {@code SplitRing} with {@code SplitChains} (one format of both),
 * {@code InFlightChains}; {@link dev.sluice.virtio.queue.IovecSlab}, {@link dev.sluice.virtio.queue.CallBatch}.
 *
 * <p>The guest is hostile. Guest memory is touched through bounds-checked views only; each field is read once and validated on the copy.
 *
 * <p><b>Internal:</b> public for the other packages of Sluice alone. It may change in any release, and the Javadoc of all libraries leaves it out.
 */
@NullMarked
package dev.sluice.virtio.queue;

import org.jspecify.annotations.NullMarked;
